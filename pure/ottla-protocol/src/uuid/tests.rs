use super::Uuid;

#[test]
fn known_spellings_of_kafka() {
    assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(Uuid::ONE.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
    let id: Uuid = "XtTNqAtbS3WhPUkbhUYzSQ".parse().expect("a cluster id");
    assert_eq!(id.to_string(), "XtTNqAtbS3WhPUkbhUYzSQ");
    assert!("XtTNqAtbS3WhPUkbhUYzSR".parse::<Uuid>().is_err());
    assert!("short".parse::<Uuid>().is_err());
}

proptest::proptest! {
    #[test]
    fn text_and_back(bytes: [u8; 16]) {
        let id = Uuid(bytes);
        proptest::prop_assert_eq!(id.to_string().parse::<Uuid>(), Ok(id));
    }
}
