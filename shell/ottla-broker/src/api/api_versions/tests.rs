use super::is_word;

/// Goal: KIP-511's pattern, at its edges.
#[test]
fn client_software_is_a_word() {
    for good in ["a", "A9", "apache-kafka-java", "4.4.0", "a-.b"] {
        assert!(is_word(good), "{good}");
    }
    for bad in ["", "-", ".a", "a-", "a b", "ä", "a_b", "a\n"] {
        assert!(!is_word(bad), "{bad:?}");
    }
}
