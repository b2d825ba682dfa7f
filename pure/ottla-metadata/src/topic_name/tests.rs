use super::*;

#[test]
fn names_are_refused_in_kafkas_words() {
    assert_eq!(validate("").unwrap_err(), "Topic name is invalid: the empty string is not allowed");
    assert_eq!(validate("..").unwrap_err(), "Topic name is invalid: '..' is not allowed");
    assert_eq!(
        validate("a b").unwrap_err(),
        "Topic name is invalid: 'a b' contains one or more characters other than ASCII \
         alphanumerics, '.', '_' and '-'"
    );
    assert!(validate(&"a".repeat(249)).is_ok());
    assert!(validate(&"a".repeat(250)).unwrap_err().ends_with("max allowed length 249"));
    assert!(validate("A-z.0_9").is_ok());
    assert!(validate("é").is_err());
}

#[test]
fn dots_and_underscores_are_one() {
    assert_eq!(collision_key("a.b_c"), collision_key("a_b.c"));
    assert_eq!(collision_key("abc"), None);
}
