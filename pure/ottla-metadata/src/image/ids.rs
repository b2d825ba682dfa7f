//! A list of broker ids, as partitions have six of: nearly all of them short, most of them empty. Up to
//! three take no memory of their own.

use std::fmt;
use std::ops::Deref;

/// How many are kept in place.
const FEW: usize = 3;

/// See the module.
#[derive(Clone)]
pub struct Ids(Inner);

/// Boxed, so that the rare long list takes a pointer here.
#[derive(Clone)]
struct Many {
    ids: Vec<i32>,
}

#[derive(Clone)]
enum Inner {
    Few { count: u8, ids: [i32; FEW] },
    Many(Box<Many>),
}

impl Ids {
    pub const fn new() -> Ids {
        Ids(Inner::Few { count: 0, ids: [0; FEW] })
    }
}

impl Default for Ids {
    fn default() -> Ids {
        Ids::new()
    }
}

impl Deref for Ids {
    type Target = [i32];

    fn deref(&self) -> &[i32] {
        match &self.0 {
            Inner::Few { count, ids } => &ids[..usize::from(*count)],
            Inner::Many(many) => &many.ids,
        }
    }
}

impl From<&[i32]> for Ids {
    fn from(list: &[i32]) -> Ids {
        if list.len() > FEW {
            return Ids(Inner::Many(Box::new(Many { ids: list.to_vec() })));
        }
        let mut ids = [0; FEW];
        ids[..list.len()].copy_from_slice(list);
        Ids(Inner::Few { count: u8::try_from(list.len()).expect("at most three"), ids })
    }
}

impl From<Vec<i32>> for Ids {
    fn from(list: Vec<i32>) -> Ids {
        Ids::from(list.as_slice())
    }
}

impl PartialEq for Ids {
    fn eq(&self, other: &Ids) -> bool {
        **self == **other
    }
}

impl Eq for Ids {}

impl PartialEq<[i32]> for Ids {
    fn eq(&self, other: &[i32]) -> bool {
        **self == *other
    }
}

impl<const N: usize> PartialEq<[i32; N]> for Ids {
    fn eq(&self, other: &[i32; N]) -> bool {
        **self == other[..]
    }
}

impl PartialEq<Vec<i32>> for Ids {
    fn eq(&self, other: &Vec<i32>) -> bool {
        **self == other[..]
    }
}

impl PartialEq<Ids> for Vec<i32> {
    fn eq(&self, other: &Ids) -> bool {
        self[..] == **other
    }
}

impl<'a> IntoIterator for &'a Ids {
    type Item = &'a i32;
    type IntoIter = std::slice::Iter<'a, i32>;

    fn into_iter(self) -> std::slice::Iter<'a, i32> {
        self.iter()
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn a_list_is_what_it_was_made_of() {
        for count in 0..6 {
            let list: Vec<i32> = (0..count).collect();
            assert_eq!(Ids::from(list.clone()), list);
            assert_eq!(format!("{:?}", Ids::from(list.clone())), format!("{list:?}"));
        }
        assert_ne!(Ids::from(vec![1, 2]), Ids::from(vec![1, 2, 3]));
        assert_eq!(Ids::new(), Ids::default());
    }

    #[test]
    fn a_list_takes_two_words() {
        assert_eq!(size_of::<Ids>(), 16);
    }
}
