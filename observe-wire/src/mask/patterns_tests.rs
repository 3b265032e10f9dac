use proptest::prelude::*;

use super::*;

/// What is left of `text`, each secret as `#`.
fn without(text: &str) -> String {
    let mut kept = String::new();
    let mut from = 0;
    for secret in secrets(text, true) {
        kept.push_str(&text[from..secret.start]);
        kept.push('#');
        from = secret.end;
    }
    kept + &text[from..]
}

#[test]
fn keys_tokens_and_passwords_are_found_whole() {
    // Put together at run time, so that scanners of repositories do not take them for real ones.
    let key = |head: &str| format!("{head}{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6");
    for head in [
        "sk-",
        "sk-proj-",
        "sk-ant-api03-",
        "sk-lf-",
        "pk-lf-",
        "sk_live_",
        "rk_test_",
        "ghp_",
        "gho_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "hf_",
        "xoxe-",
        "npm_",
        "pypi-",
        "gsk_",
    ] {
        let key = key(head);
        for (text, left) in [
            (key.clone(), "#".to_owned()),
            (format!("use {key}, please"), "use #, please".to_owned()),
            (format!("{{\"note\":\"{key}\"}}"), "{\"note\":\"#\"}".to_owned()),
            (format!("a\\n{key}\\nb"), "a\\n#\\nb".to_owned()),
        ] {
            assert_eq!(without(&text), left, "{text}");
        }
    }
    for (text, left) in [
        (format!("AKIA{}", "ABCDEFGH12345678"), "#"),
        (format!("AIza{}", "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"), "#"),
        (
            format!(
                "jwt eyJ{}.eyJ{}.{}",
                "hbGciOiJIUzI1NiJ9", "zdWIiOiIxMjM0NTY3ODkwIn0", "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9"
            ),
            "jwt #",
        ),
        (format!("eyJ{}.eyJ{}.", "hbGciOiJub25lIn0", "zdWIiOiIxMjM0In0"), "#"),
        ("Authorization: Bearer abc.def-123~x+/=".to_owned(), "Authorization: Bearer #"),
        ("authorization: bearer 0123456789abcdef".to_owned(), "authorization: bearer #"),
        (format!("sk-{}", "abcdefghijklmnopqrstuvwxyz"), "#"),
        (format!("AKIA{}, or", "ABCDEFGHIJKLMNOP"), "#, or"),
        ("Basic dXNlcjpwYXNzMTIz".to_owned(), "Basic #"),
        ("postgres://ada:l0velace@db:5432/x".to_owned(), "postgres://ada:#@db:5432/x"),
        ("https://ada:p@ss@host/".to_owned(), "https://ada:#@host/"),
        ("GET /v1?api_key=abcdef123&q=1".to_owned(), "GET /v1?api_key=#&q=1"),
        ("--password=hunter2x".to_owned(), "--password=#"),
        ("OPENAI_API_KEY=whatever-it-is".to_owned(), "OPENAI_API_KEY=#"),
    ] {
        assert_eq!(without(&text), left, "{text}");
    }
}

#[test]
fn private_keys_are_found_with_their_lines_or_what_is_left_of_them() {
    let (begin, end) =
        (format!("-----BEGIN {}PRIVATE KEY-----", "RSA "), format!("-----END {}PRIVATE KEY-----", "RSA "));
    let line = "MIIEowIBAAKCAQEA0123";
    assert_eq!(without(&format!("key: {begin}\n{line}\n{line}\n{end}\nrest")), "key: #\nrest");
    assert_eq!(without(&format!("{begin}\r\n{line}")), "#");
    for kept in [
        format!("-----BEGIN PUBLIC KEY-----\n{line}\n-----END PUBLIC KEY-----"),
        format!("{begin}\n..\n{end}"),
    ] {
        assert_eq!(without(&kept), kept);
    }
}

#[test]
fn card_numbers_are_found_when_their_check_passes() {
    for (text, left) in [
        ("4111111111111111", "#"),
        ("pay with 4111 1111 1111 1111 now", "pay with # now"),
        ("5500-0000-0000-0004.", "#."),
        ("378282246310005", "#"),
        ("3782 822463 10005", "#"),
        ("on 12 4111 1111 1111 1111", "on 12 #"),
        ("{\"card\":4111111111111111}", "{\"card\":#}"),
    ] {
        assert_eq!(without(text), left, "{text}");
    }
}

#[test]
fn what_only_looks_like_a_secret_stays() {
    for text in [
        "ask-me-anything about risk-management-strategies-2024",
        "scikit sk-learn and sk-short1",
        "task-0123456789abcdef0123",
        "bearer of bad news, Bearer authentication",
        "the basic idea, Basic English",
        "4111111111111112 and 1763721234567890123",
        "2026-11-21 10:46:32.123456789",
        "0.4111111111111111",
        "id 4111111111111111a, x4111111111111111, 4111111111111111_2",
        "f21c0b8fc2d39e41c10b1fdb8024101b",
        "550e8400-e29b-41d4-a716-446655440000",
        "https://example.com/a:b@c?d=e",
        "http://user@host/",
        "max_tokens=1000000 eos_token=abcdefg a=bcdefghijk",
        "token = next_token(stream)",
        "if password==expected_password",
        "eyJust.a.text eyJ",
        "",
    ] {
        assert_eq!(without(text), text);
    }
}

/// Text in which secrets stand, whole and not.
const TEXT: &str = "(\\PC|[a-z ]{1,9}|\n|\"|\\\\|sk-[a-zA-Z0-9]{12,30}|xoxb-[0-9-]{12}|AKIA[A-Z0-9]{16}|eyJ[a-z]{8}\\.[a-z]{8}\\.|\
    [Bb]e?a?rer [a-z0-9+/]{15}|redis://a?:[b-d]{5,9}@[a-z]{1,5}|token=[a-z]{9}|api_key=[a-z&]{6,9}|[0-9 -]{10,25}|\
    [34][0-9]{3} [0-9]{4} [0-9]{4} [0-9]{4}|37[0-9]{2}-[0-9]{6}-[0-9]{5}|[4-6][0-9]{12,18}|\
    -----BEGIN PRIVATE KEY-----\n[A-Za-z0-9]{10,20}\n-----END PRIVATE KEY-----){0,8}";

proptest! {
    #[test]
    fn secrets_stand_in_order_and_between_characters(text in TEXT) {
        let mut end = 0;
        for secret in secrets(&text, true) {
            prop_assert!(end <= secret.start && secret.start < secret.end && text.get(secret.clone()).is_some());
            end = secret.end;
        }
    }

    #[test]
    fn where_a_value_holds_a_secret_the_quicker_looks_say_so(
        text in TEXT,
        number in prop_oneof![any::<u64>(), 4_000_000_000_000..6_000_000_000_000_000_000_u64],
        before in 0..64_usize,
        after in 0..1000_usize,
        escaped in any::<bool>(),
    ) {
        let mut json = serde_json::to_string(&(&text, number)).unwrap_or_default();
        if escaped {
            // As others may write it.
            json = json.replace('/', "\\/").replace('4', "\\u0034");
        }
        let mut raw = vec![crate::journal::entry::RAW_STRING, 9, 0, 0, 0];
        raw.extend(text.as_bytes());
        let held = [
            (json.clone().into_bytes(), super::super::json::redacted(&json).is_some()),
            (raw, !secrets(&text, true).is_empty()),
        ];
        for (payload, has_secret) in held.into_iter().filter(|(_, has_secret)| *has_secret) {
            prop_assert!(has_secret && may_hold_secrets(&payload), "{json}");
            let mut region = vec![0; before];
            region.extend(&payload);
            region.resize(before + payload.len() + after, 0);
            let mut sieve = super::super::Sieve::default();
            sieve.look(&region, before / 8 * 8);
            prop_assert!(sieve.may_hold_secrets(before..before + payload.len()), "{json}");
        }
    }
}
