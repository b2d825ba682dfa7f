use super::{Reader, put_varint, put_varlong, varint_size, varlong_size};

proptest::proptest! {
    #[test]
    fn numbers_and_back(small: i32, large: i64) {
        let mut out = Vec::new();
        put_varint(&mut out, small);
        proptest::prop_assert_eq!(out.len(), varint_size(small));
        put_varlong(&mut out, large);
        proptest::prop_assert_eq!(out.len(), varint_size(small) + varlong_size(large));
        let mut reader = Reader::new(&out, 0);
        proptest::prop_assert_eq!(reader.varint(), Ok(small));
        proptest::prop_assert_eq!(reader.varlong(), Ok(large));
        proptest::prop_assert_eq!(reader.remaining(), 0);
    }
}
