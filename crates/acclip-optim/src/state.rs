//! What an optimizer remembers between steps, as plain data.

use crate::{Error, Layout, Optimizer, Real};

/// The step count, and one named flat buffer ("slot") for each moment that the rule keeps.
///
/// Made by [`Optimizer::init`]; to save, write `t` and [`State::slots`]; to restore,
/// [`State::from_slots`]. A run that goes on from a restored state gives the same bits as one
/// that was not interrupted.
#[derive(Debug, Clone, PartialEq)]
pub struct State<F> {
    /// Steps taken so far.
    pub t: u64,
    slots: Vec<(&'static str, Vec<F>)>,
}

impl<F: Real> State<F> {
    /// The state before the first step: every slot zero.
    pub(crate) fn zeros(names: &[&'static str], len: usize) -> Self {
        let slots = names
            .iter()
            .map(|&name| (name, vec![F::zero(); len]))
            .collect();
        State { t: 0, slots }
    }

    /// The slots, in the order of the rule: name and one value per coordinate.
    pub fn slots(&self) -> impl Iterator<Item = (&'static str, &[F])> {
        self.slots
            .iter()
            .map(|(name, values)| (*name, values.as_slice()))
    }

    /// Rebuilds a state from its step count and slots, which may come in any order.
    ///
    /// # Errors
    /// [`Error::StateSlots`] with the names that are missing or not this optimizer's, and
    /// [`Error::Length`] for a slot that is not as long as the layout.
    pub fn from_slots(
        optimizer: &Optimizer,
        layout: &Layout,
        t: u64,
        slots: impl IntoIterator<Item = (String, Vec<F>)>,
    ) -> Result<Self, Error> {
        let mut given: Vec<(String, Vec<F>)> = slots.into_iter().collect();
        let mut missing = Vec::new();
        let mut found = Vec::new();
        for &name in optimizer.slot_names() {
            match given.iter().position(|(other, _)| other == name) {
                Some(at) => found.push((name, given.swap_remove(at).1)),
                None => missing.push(name.to_owned()),
            }
        }
        let unexpected: Vec<String> = given.into_iter().map(|(name, _)| name).collect();
        if !missing.is_empty() || !unexpected.is_empty() {
            return Err(Error::StateSlots {
                optimizer: optimizer.name(),
                missing,
                unexpected,
            });
        }
        let state = State { t, slots: found };
        state.check(optimizer, layout)?;
        Ok(state)
    }

    /// Whether this state is one of `optimizer` on `layout`.
    pub(crate) fn check(&self, optimizer: &Optimizer, layout: &Layout) -> Result<(), Error> {
        let expected = optimizer.slot_names();
        if !self
            .slots()
            .map(|(name, _)| name)
            .eq(expected.iter().copied())
        {
            let has = |name: &str| self.slots().any(|(other, _)| other == name);
            let missing = expected
                .iter()
                .filter(|name| !has(name))
                .map(|name| name.to_string());
            let others = self
                .slots()
                .map(|(name, _)| name)
                .filter(|name| !expected.contains(name));
            return Err(Error::StateSlots {
                optimizer: optimizer.name(),
                missing: missing.collect(),
                unexpected: others.map(str::to_owned).collect(),
            });
        }
        for (name, values) in self.slots() {
            check_length(&format!("state slot {name}"), layout.len(), values.len())?;
        }
        Ok(())
    }

    /// The slots, writable. `S` must be their number: a rule lists one name for each slot that
    /// its kernel takes, and [`State::check`] has compared the names.
    pub(crate) fn views<const S: usize>(&mut self) -> [&mut [F]; S] {
        let views: Vec<&mut [F]> = self
            .slots
            .iter_mut()
            .map(|(_, values)| values.as_mut_slice())
            .collect();
        views
            .try_into()
            .expect("one slot name for each slot of the kernel")
    }
}

/// Refuses a slice that does not have one value per coordinate.
pub(crate) fn check_length(what: &str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::Length {
            what: what.to_owned(),
            expected,
            found,
        })
    }
}
