//! Choices that are made by the bytes of a fuzz input.

/// How many bytes choose. They stand in front, so that bytes put into the file do not change how it is read.
pub const CHOICES: usize = 20;

/// Hands out bytes, and zeros when there are no more.
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// The choices, and the file.
    pub fn split(data: &'a [u8]) -> (Self, &'a [u8]) {
        let (choices, file) = data.split_at(CHOICES.min(data.len()));
        (Self(choices), file)
    }

    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// A number below `end`; of zero, zero.
    pub fn below(&mut self, end: usize) -> usize {
        let number = usize::from(self.byte()) << 8 | usize::from(self.byte());
        number % end.max(1)
    }

    /// One of `items`; of zero, the first.
    pub fn one<T: Clone>(&mut self, items: &[T]) -> T {
        items[usize::from(self.byte()) % items.len()].clone()
    }
}
