//! The tree that a trace's spans form, of which any part may be missing.

use std::collections::HashMap;

use observe_model::SpanId;

/// Which span is under which, by index into a list that is in start order.
pub(crate) struct Tree {
    /// The parent's index; `None` for a root and for a span whose parent has not arrived.
    parents: Vec<Option<usize>>,
}

impl Tree {
    /// The tree of these (id, parent's id) pairs. A span that names itself as its parent has none.
    pub(crate) fn new(spans: &[(SpanId, Option<SpanId>)]) -> Self {
        let index: HashMap<_, _> = spans.iter().enumerate().map(|(i, (id, _))| (*id, i)).collect();
        let parent = |(id, parent): &(SpanId, Option<SpanId>)| {
            parent.filter(|p| p != id).and_then(|p| index.get(&p).copied())
        };
        Self { parents: spans.iter().map(parent).collect() }
    }

    /// Whether the span stands at the top: a root, or one whose parent has not arrived.
    pub(crate) fn is_top(&self, span: usize) -> bool {
        self.parents[span].is_none()
    }

    /// Every span once with its depth: parents before children, siblings in list order.
    pub(crate) fn preorder(&self) -> Vec<(usize, u32)> {
        let mut children = vec![Vec::new(); self.parents.len()];
        for (i, parent) in self.parents.iter().enumerate() {
            if let Some(parent) = parent {
                children[*parent].push(i);
            }
        }
        let mut order = Vec::with_capacity(self.parents.len());
        let mut seen = vec![false; self.parents.len()];
        // The second round finds spans in a circle of parents, which no top leads to.
        let tops = (0..self.parents.len()).filter(|i| self.is_top(*i));
        for top in tops.chain(0..self.parents.len()) {
            let mut stack = vec![(top, 0)];
            while let Some((span, depth)) = stack.pop() {
                if !std::mem::replace(&mut seen[span], true) {
                    order.push((span, depth));
                    stack.extend(children[span].iter().rev().map(|child| (*child, depth + 1)));
                }
            }
        }
        order
    }

    /// The spans that report something which none of their descendants reports.
    ///
    /// An agent's usage often repeats that of the model calls below it; adding up these spans alone counts it once.
    pub(crate) fn lowest(&self, reports: impl Fn(usize) -> bool) -> impl Iterator<Item = usize> {
        let reporting: Vec<_> = (0..self.parents.len()).filter(|i| reports(*i)).collect();
        let mut above = vec![false; self.parents.len()];
        for &span in &reporting {
            let mut at = self.parents[span];
            while let Some(parent) = at.filter(|p| *p != span && !above[*p]) {
                above[parent] = true;
                at = self.parents[parent];
            }
        }
        reporting.into_iter().filter(move |i| !above[*i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(pairs: &[(u64, u64)]) -> Tree {
        let pairs: Vec<_> =
            pairs.iter().map(|(id, p)| (SpanId::from_int(*id).unwrap(), SpanId::from_int(*p))).collect();
        Tree::new(&pairs)
    }

    #[test]
    fn parents_come_before_children_and_siblings_keep_their_order() {
        let order = tree(&[(4, 2), (1, 0), (2, 1), (3, 1), (5, 2), (9, 77)]).preorder();
        assert_eq!(order, [(1, 0), (2, 1), (0, 2), (4, 2), (3, 1), (5, 0)]);
    }

    #[test]
    fn a_circle_of_parents_shows_every_span_once() {
        let tree = tree(&[(1, 2), (2, 1), (3, 3), (4, 2)]);
        assert_eq!(tree.preorder(), [(2, 0), (0, 0), (1, 1), (3, 2)]);
        assert_eq!(tree.lowest(|i| i == 0).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn only_the_lowest_reporting_span_of_each_branch_counts() {
        let tree = tree(&[(1, 0), (2, 1), (3, 2), (4, 1), (5, 1)]);
        assert_eq!(tree.lowest(|i| i != 4).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(tree.lowest(|i| i == 0).collect::<Vec<_>>(), [0]);
    }
}
