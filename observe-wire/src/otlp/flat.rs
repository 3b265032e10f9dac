//! Nested values that senders write as one attribute for each leaf, with the way to it as the key: `messages.0.message.role`.

use std::collections::BTreeMap;

use observe_model::Metadata;
use serde_json::Value;

use super::attributes::{Budget, MAP, Unreadable};

/// The most levels that a key is taken apart into; what is left of it is one name.
const LEVELS: usize = 12;

/// Names that stand between a list's number and what its element says, and say nothing themselves.
const WRAPPERS: [&str; 4] = ["message", "tool_call", "message_content", "tool"];

/// What `leaves`, by the rest of their keys, are together.
pub(super) fn nest(leaves: Metadata, budget: &mut Budget) -> Result<Value, Unreadable> {
    level(leaves.into_iter().collect(), LEVELS, budget)
}

fn level(leaves: Vec<(String, Value)>, levels: usize, budget: &mut Budget) -> Result<Value, Unreadable> {
    budget.spend(MAP)?;
    let mut members = Metadata::new();
    let mut inner: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
    for (key, value) in leaves {
        budget.spend(1)?;
        match key.split_once('.').filter(|_| levels > 0) {
            Some((head, rest)) => inner.entry(head.to_owned()).or_default().push((rest.to_owned(), value)),
            None => _ = members.insert(key, value),
        }
    }
    for (mut head, leaves) in inner {
        let value = level(leaves, levels - 1, budget)?;
        // A leaf that has leaves itself.
        while members.contains_key(&head) {
            head.push('.');
        }
        members.insert(head, value);
    }
    Ok(listed(members))
}

/// A list, if the names are its numbers.
fn listed(members: Metadata) -> Value {
    let numbers: Option<BTreeMap<u32, &String>> =
        members.keys().map(|name| Some((name.parse().ok()?, name))).collect();
    let Some(numbers) = numbers.filter(|numbers| numbers.len() == members.len() && !numbers.is_empty())
    else {
        return Value::Object(members);
    };
    let order: Vec<String> = numbers.into_values().cloned().collect();
    let mut members = members;
    order.iter().filter_map(|name| members.remove(name)).map(unwrapped).collect()
}

fn unwrapped(element: Value) -> Value {
    match element {
        Value::Object(mut members) if members.len() == 1 => {
            let wrapped = WRAPPERS.iter().find_map(|name| members.remove(*name));
            wrapped.unwrap_or(Value::Object(members))
        }
        element => element,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(leaves: Value) -> Value {
        let Value::Object(leaves) = leaves else { panic!("{leaves}") };
        nest(leaves, &mut Budget { values: 1_000, depth: 32 }).unwrap()
    }

    #[test]
    fn numbers_make_lists_in_their_order_and_wrappers_are_taken_off() {
        let messages = nested(json!({
            "10.message.role": "user",
            "2.message.role": "assistant",
            "2.message.tool_calls.0.tool_call.function.name": "search",
            "2.message.tool_calls.0.tool_call.id": "c1",
        }));
        let call = json!({"id": "c1", "function": {"name": "search"}});
        assert_eq!(messages, json!([{"role": "assistant", "tool_calls": [call]}, {"role": "user"}]));
    }

    #[test]
    fn what_contradicts_itself_loses_nothing() {
        assert_eq!(nested(json!({"0": 1, "0.a": 2, "x": 3})), json!({"0": 1, "0.": {"a": 2}, "x": 3}));
        assert_eq!(nested(json!({"1": "a", "01": "b"})), json!({"1": "a", "01": "b"}));
    }

    #[test]
    fn a_key_of_many_dots_is_taken_apart_only_so_far() {
        let key = "a.".repeat(10_000);
        let mut budget = Budget { values: 200, depth: 32 };
        let nested = nest(Metadata::from_iter([(key.clone(), Value::Null)]), &mut budget).unwrap();
        assert!(nested.pointer(&"/a".repeat(12)).unwrap().get(&key[24..]).is_some());
        let mut budget = Budget { values: 20, depth: 32 };
        assert_eq!(nest(Metadata::from_iter([(key, Value::Null)]), &mut budget), Err(Unreadable::TooMany));
    }
}
