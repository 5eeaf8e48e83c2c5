//! Counts the configurations of a space and numbers them, sub-space by sub-space.

use std::collections::BTreeMap;

use super::value::{Config, Value};
use super::{Domain, Parameter};

/// For every parameter, how many configurations its sub-space has: itself and all that depends on it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counts {
    subspaces: Vec<Subspace>,
    roots: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq)]
struct Subspace {
    /// The values that bring children with them, by their place in the domain.
    branches: BTreeMap<u64, Branch>,
    /// Nothing when there are infinitely many, or more than a `u64` counts.
    size: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
struct Branch {
    children: Vec<usize>,
    size: Option<u64>,
}

impl Counts {
    /// Counts the sub-space of each parameter. `parents` gives each one's place among them, always
    /// before its own.
    pub(super) fn of(parameters: &[Parameter], parents: &[Option<usize>]) -> Counts {
        let mut children = vec![Vec::new(); parameters.len()];
        let mut roots = Vec::new();
        for (place, parent) in parents.iter().enumerate() {
            match parent {
                Some(parent) => children[*parent].push(place),
                None => roots.push(place),
            }
        }
        let none_yet = Subspace {
            branches: BTreeMap::new(),
            size: None,
        };
        let mut counts = Counts {
            subspaces: vec![none_yet; parameters.len()],
            roots,
        };
        // Children stand after their parents, so backwards every child is counted when it is needed.
        for (place, parameter) in parameters.iter().enumerate().rev() {
            let branches = counts.branches(parameters, &parameter.domain, &children[place]);
            let size = subspace_size(&parameter.domain, &branches);
            counts.subspaces[place] = Subspace { branches, size };
        }
        counts
    }

    pub(super) fn total(&self) -> Option<u64> {
        self.product(&self.roots)
    }

    pub(super) fn nth(&self, parameters: &[Parameter], index: u64) -> Option<Config> {
        if index >= self.total()? {
            return None;
        }
        let mut config = Config::default();
        self.fill(parameters, &self.roots, index, &mut config)?;
        Some(config)
    }

    fn branches(
        &self,
        parameters: &[Parameter],
        domain: &Domain,
        children: &[usize],
    ) -> BTreeMap<u64, Branch> {
        let mut branches: BTreeMap<u64, Branch> = BTreeMap::new();
        for &child in children {
            let values: &[Value] = match &parameters[child].when {
                Some(when) => &when.any_of,
                None => &[],
            };
            for value in values {
                let Some(position) = domain.position(value) else {
                    continue;
                };
                let branch = branches.entry(position).or_insert(Branch {
                    children: Vec::new(),
                    size: None,
                });
                // A condition may name the same value twice.
                if branch.children.last() != Some(&child) {
                    branch.children.push(child);
                }
            }
        }
        for branch in branches.values_mut() {
            branch.size = self.product(&branch.children);
        }
        branches
    }

    /// How many combinations independent sub-spaces have.
    fn product(&self, places: &[usize]) -> Option<u64> {
        places.iter().try_fold(1_u64, |product, &place| {
            product.checked_mul(self.subspaces[place].size?)
        })
    }

    /// Reads `index` as a number whose digits are the indices into the sub-spaces at `places`.
    fn fill(
        &self,
        parameters: &[Parameter],
        places: &[usize],
        mut index: u64,
        config: &mut Config,
    ) -> Option<()> {
        for &place in places {
            let size = self.subspaces[place].size?;
            self.fill_one(parameters, place, index % size, config)?;
            index /= size;
        }
        Some(())
    }

    /// Counts first through the values with children, then through the others.
    fn fill_one(
        &self,
        parameters: &[Parameter],
        place: usize,
        mut index: u64,
        config: &mut Config,
    ) -> Option<()> {
        let Parameter { name, domain, .. } = &parameters[place];
        let branches = &self.subspaces[place].branches;
        for (&position, branch) in branches {
            let size = branch.size?;
            if index < size {
                config.insert(name.as_str(), domain.nth(position));
                return self.fill(parameters, &branch.children, index, config);
            }
            index -= size;
        }
        for &position in branches.keys() {
            if position <= index {
                index += 1;
            }
        }
        config.insert(name.as_str(), domain.nth(index));
        Some(())
    }
}

fn subspace_size(domain: &Domain, branches: &BTreeMap<u64, Branch>) -> Option<u64> {
    let childless = domain.count()? - branches.len() as u64;
    branches
        .values()
        .try_fold(childless, |sum, branch| sum.checked_add(branch.size?))
}
