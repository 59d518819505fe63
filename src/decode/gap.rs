//! Good records in a gap: those that stand between two damages, too few in a row to tell that there is damage.

use super::Decoder;
use super::chain::{Chain, EVIDENCE};
use super::salvage::may_begin;
use crate::msgpack::{Cursor, Head};

/// What looking at places may cost, a byte of a gap.
const LOOKS: u64 = 128;

impl Decoder {
    /// Where a gap ends: at the first good record between `from` and the `chain`, `gap` bytes behind the start of `bytes`. That the
    /// bytes up to the chain are damage is known; a good record among them is of its kind, and
    /// - is as long as those of the chain and stands a whole number of their lengths behind the bad record or in front of the chain, or
    /// - is one that is not there by chance, with those right behind it.
    pub(super) fn first_in_gap(&mut self, bytes: &[u8], from: usize, gap: usize, chain: Chain) -> Chain {
        let first = Head::read(&bytes[gap..]).ok().map(|(head, _)| head);
        let (view, most) = (&bytes[..gap], LOOKS * gap as u64);
        let mut cost = 0;
        for place in from..gap {
            if !may_begin(view[place]) {
                continue;
            }
            let mut cursor = Cursor::starting_at(view, place);
            let mut told = 0;
            while told < EVIDENCE {
                let start = cursor.at();
                let good = self.good(&mut cursor, first);
                match good {
                    Ok((_, more)) => told += more,
                    Err(miss) => {
                        told = 0;
                        cost += (start - place + miss.read) as u64;
                        break;
                    }
                }
                let is_as_long = (cursor.at() - place) as u64 == chain.length;
                let is_aligned =
                    [place, gap - place].iter().any(|bytes| (*bytes as u64).is_multiple_of(chain.length));
                if is_as_long && is_aligned {
                    told = EVIDENCE;
                }
            }
            if told >= EVIDENCE {
                let at = chain.at - (gap - place) as u64;
                return Chain { at, ..chain };
            }
            if cost > most {
                break;
            }
        }
        self.looked += cost;
        chain
    }
}
