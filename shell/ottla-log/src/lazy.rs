//! A value that is empty until somebody changes it, and takes no more than a pointer until then: most
//! partitions of a node hold nothing at the moment. It knows nothing of what it holds.

use std::ops::{Deref, DerefMut};

/// A type whose empty value costs nothing to make.
pub(crate) trait Empty: Default + 'static {
    const EMPTY: &'static Self;
}

/// See the module. A look sees the empty value; the first change makes one of its own.
#[derive(Debug)]
pub(crate) struct Lazy<T>(Option<Box<T>>);

impl<T: Empty> Lazy<T> {
    pub(crate) const fn new() -> Lazy<T> {
        Lazy(None)
    }

    /// The value if there is one: for changes that change nothing in an empty one.
    pub(crate) fn made(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// Empties it and gives its memory back.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }

    /// What it holds; it is empty from then on.
    pub(crate) fn take(&mut self) -> T {
        self.0.take().map_or_else(T::default, |value| *value)
    }
}

impl<T: Empty + PartialEq> From<T> for Lazy<T> {
    fn from(value: T) -> Lazy<T> {
        if value == *T::EMPTY { Lazy(None) } else { Lazy(Some(Box::new(value))) }
    }
}

impl<T: Empty> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::EMPTY)
    }
}

impl<T: Empty> DerefMut for Lazy<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: 'static> Empty for Vec<T> {
    const EMPTY: &'static Vec<T> = &Vec::new();
}

impl<T: 'static> Empty for std::collections::VecDeque<T> {
    const EMPTY: &'static std::collections::VecDeque<T> = &std::collections::VecDeque::new();
}

#[cfg(test)]
mod tests {
    use super::Lazy;

    #[test]
    fn only_a_change_makes_a_value() {
        let mut list: Lazy<Vec<i32>> = Lazy::new();
        assert!(list.is_empty());
        assert!(list.made().is_none());
        list.push(7);
        assert_eq!(list.made().map(|list| list.len()), Some(1));
        assert_eq!(list.take(), [7]);
        assert!(list.made().is_none());
        assert!(Lazy::from(Vec::<i32>::new()).made().is_none());
        assert_eq!(*Lazy::from(vec![1]), [1]);
    }

    #[test]
    fn it_takes_a_pointer() {
        assert_eq!(size_of::<Lazy<Vec<i32>>>(), size_of::<usize>());
    }
}
