mod outer {
    pub mod inner {
        use observe::observe;

        #[observe]
        fn private() {}

        #[observe]
        pub(super) fn above() {}

        #[observe]
        pub(in crate::outer) fn within() {}
    }

    pub struct Tools;

    #[observe::observe]
    impl Tools {
        fn method(&self) {}
    }
}

fn main() {
    outer::inner::private();
    outer::inner::above();
    outer::inner::within();
    outer::Tools.method();
}
