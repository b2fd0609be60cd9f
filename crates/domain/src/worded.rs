/// Declares an enum of which each variant has a word. Variants and words stand in one list, so that no table of them can
/// lack one: what was written with a word is read with it again.
macro_rules! worded {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$about:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$meta])*
        pub enum $name {
            $($(#[$about])* $variant,)+
        }

        impl $name {
            /// Every one, in the order of the declaration.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// Their words, in the same order.
            pub const WORDS: [&str; Self::ALL.len()] = [$($word),+];

            /// The word for it in metrics, logs and the admin API.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The one of this word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use worded;

#[cfg(test)]
mod tests {
    use crate::{AttemptOutcome, ExchangeOutcome, UsageSource};

    #[test]
    fn every_word_leads_there_and_back() {
        macro_rules! there_and_back {
            ($($name:ident),+) => {$(
                for (value, word) in $name::ALL.into_iter().zip($name::WORDS) {
                    assert_eq!((value.as_str(), $name::from_word(word)), (word, Some(value)));
                }
                for word in ["", "Ok", "ok "] {
                    assert_eq!($name::from_word(word), None, "{word}");
                }
            )+};
        }
        there_and_back!(ExchangeOutcome, AttemptOutcome, UsageSource);
    }
}
