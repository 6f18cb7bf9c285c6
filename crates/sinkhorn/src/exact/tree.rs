//! The spanning tree that a basic plan is, and the exchange of one of its cells for another.
//!
//! Nodes are the columns and rows of a problem, edges the cells that may carry mass. A tree is kept
//! as each node's parent with the mass between them, and as the list of all nodes in preorder, in
//! which every subtree is one run (Bradley, Brown and Graves 1977, "Design and implementation of
//! large scale primal transshipment algorithms"), so a subtree moves by relinking the ends of runs.
//!
//! Each node could send mass to the root: a cell without mass hangs a row under a column. The rule by
//! which cells leave keeps it so, and then no sequence of exchanges that move nothing comes back to
//! where it was (Cunningham 1976, "A network simplex method").

/// No node: the parent of the root.
const NONE: u32 = u32::MAX;

/// A spanning tree; columns are the nodes below `first_row`, rows those from there on.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    first_row: u32,
    /// Nodes in the order in which they were hung under their parents, at first.
    hung: Vec<u32>,
    parent: Vec<u32>,
    /// Mass between a node and its parent, in units.
    mass: Vec<u64>,
    /// Nodes of a subtree.
    size: Vec<u32>,
    /// The list of nodes, closed to a ring, both ways, and the last of each subtree.
    next: Vec<u32>,
    previous: Vec<u32>,
    last: Vec<u32>,
}

/// A run of nodes whose potentials all change by the same.
pub(crate) struct Shift {
    pub first: u32,
    pub count: u32,
    pub by: f64,
}

/// The cycle that a new cell closes: the ways from its ends up to where they join.
struct Cycle {
    join: u32,
    /// What can move along it, until the cell above the node `cut` is empty.
    mass: u64,
    cut: u32,
    /// The end of the new cell that is cut off with that node, and the other end.
    inner: u32,
    outer: u32,
}

impl Tree {
    /// Begins a tree of nodes up to `count`, the rows from `first_row` on.
    pub(crate) fn clear(&mut self, first_row: usize, count: usize) {
        self.first_row = first_row as u32;
        self.hung.clear();
        let links = [
            &mut self.parent,
            &mut self.next,
            &mut self.previous,
            &mut self.last,
        ];
        for list in links {
            list.clear();
            list.resize(count, NONE);
        }
        self.size.clear();
        self.size.resize(count, 1);
        self.mass.clear();
        self.mass.resize(count, 0);
    }

    /// Hangs a node, with all that hangs under it, under one that does not hang yet.
    pub(crate) fn hang(&mut self, node: usize, parent: usize, mass: u64) {
        self.parent[node] = parent as u32;
        self.mass[node] = mass;
        self.hung.push(node as u32);
    }

    /// Lists the nodes, once all but `root` hang; calls `visit` with each and its parent, parents
    /// first.
    pub(crate) fn list(&mut self, root: usize, mut visit: impl FnMut(usize, usize)) {
        self.next[root] = root as u32;
        self.previous[root] = root as u32;
        for index in (0..self.hung.len()).rev() {
            let node = self.hung[index];
            let parent = self.parent[node as usize];
            self.link_after(parent, node, node);
            visit(node as usize, parent as usize);
        }
        self.last[root] = root as u32;
        self.hung
            .iter()
            .for_each(|&node| self.last[node as usize] = node);
        for &node in &self.hung {
            let parent = self.parent[node as usize] as usize;
            self.size[parent] += self.size[node as usize];
            // The first to be hung was linked last, next to the parent: the last one ends the run.
            self.last[parent] = self.last[node as usize];
        }
    }

    /// Returns the cells: row node, column node and mass.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        self.hung.iter().map(|&node| {
            let (parent, mass) = (self.parent[node as usize], self.mass[node as usize]);
            let (row, column) = (node.max(parent), node.min(parent));
            (row as usize, column as usize, mass)
        })
    }

    pub(crate) fn next(&self, node: u32) -> u32 {
        self.next[node as usize]
    }

    /// Brings in the cell between two nodes and takes out one that this empties; `excess` is what the
    /// new cell costs beyond the potentials of its ends. Returns the potentials that have to change.
    pub(crate) fn exchange(&mut self, row: usize, column: usize, excess: f64) -> Shift {
        let cycle = self.cycle(row as u32, column as u32);
        for end in [row as u32, column as u32] {
            self.send(end, cycle.join, cycle.mass);
        }
        let moved = self.size[cycle.cut as usize];
        let above = self.parent[cycle.cut as usize];
        self.resize(above, cycle.join, moved.wrapping_neg());
        self.resize(cycle.outer, cycle.join, moved);

        let (before, end) = (
            self.previous[cycle.cut as usize],
            self.last[cycle.cut as usize],
        );
        let behind = self.next[end as usize];
        self.end_with(above, end, before);
        let tail = self.turn(&cycle);
        self.link(before, behind);
        self.link_after(cycle.outer, cycle.inner, tail);
        self.end_with(cycle.outer, cycle.outer, tail);

        let by = if self.is_row(cycle.inner) {
            excess
        } else {
            -excess
        };
        // Either side can change against the other, so the smaller one does.
        let rest = self.hung.len() as u32 + 1 - moved;
        if moved <= rest {
            Shift {
                first: cycle.inner,
                count: moved,
                by,
            }
        } else {
            Shift {
                first: self.next[tail as usize],
                count: rest,
                by: -by,
            }
        }
    }

    /// Returns the cycle that a cell closes, and the last cell on it that it empties, in its own direction from
    /// the join.
    fn cycle(&self, row: u32, column: u32) -> Cycle {
        let mut ends = [row, column];
        let mut least = [u64::MAX; 2];
        let mut cut = [NONE; 2];
        while ends[0] != ends[1] {
            let sizes = ends.map(|end| self.size[end as usize]);
            // The smaller subtree is not above the other's root.
            let side = usize::from(sizes[0] > sizes[1]);
            let node = ends[side];
            let mass = self.mass[node as usize];
            // On the row's side the first of several to be emptied is the last from the join.
            let emptied = [mass < least[0], mass <= least[1]][side];
            if self.is_row(node) == (side == 0) && emptied {
                (least[side], cut[side]) = (mass, node);
            }
            ends[side] = self.parent[node as usize];
        }
        let side = usize::from(least[1] <= least[0]);
        let (inner, outer) = if side == 0 {
            (row, column)
        } else {
            (column, row)
        };
        Cycle {
            join: ends[0],
            cut: cut[side],
            mass: least[side],
            inner,
            outer,
        }
    }

    /// Moves mass from the cells that begin at nodes of `end`'s kind to the others, up to the join.
    fn send(&mut self, end: u32, join: u32, mass: u64) {
        let mut node = end;
        while node != join {
            let cell = &mut self.mass[node as usize];
            if (node >= self.first_row) == (end >= self.first_row) {
                *cell -= mass;
            } else {
                *cell += mass;
            }
            node = self.parent[node as usize];
        }
    }

    /// Adds to the sizes of the subtrees from `node` up to below the join, wrapping.
    fn resize(&mut self, mut node: u32, join: u32, by: u32) {
        while node != join {
            self.size[node as usize] = self.size[node as usize].wrapping_add(by);
            node = self.parent[node as usize];
        }
    }

    /// Makes the inner end head the cut subtree, by turning the path between them. Returns the end of
    /// its run.
    fn turn(&mut self, cycle: &Cycle) -> u32 {
        let total = self.size[cycle.cut as usize];
        let (mut node, mut above, mut mass) = (cycle.inner, cycle.outer, cycle.mass);
        let mut tail = self.last[node as usize];
        // What the node's run was: its end, what stood before and behind it, and its size.
        let mut run = (
            tail,
            self.previous[node as usize],
            self.next[tail as usize],
            self.size[node as usize],
        );
        self.size[node as usize] = total;
        loop {
            let parent = std::mem::replace(&mut self.parent[node as usize], above);
            std::mem::swap(&mut self.mass[node as usize], &mut mass);
            if node == cycle.cut {
                break;
            }
            let (end, before, behind, size) = run;
            let parent_end = self.last[parent as usize];
            run = (
                parent_end,
                self.previous[parent as usize],
                if parent_end == end {
                    behind
                } else {
                    self.next[parent_end as usize]
                },
                self.size[parent as usize],
            );
            // What the parent's run has before and behind the node's own.
            self.link(tail, parent);
            if parent_end == end {
                tail = before;
            } else {
                self.link(before, behind);
                tail = parent_end;
            }
            self.size[parent as usize] = total - size;
            (above, node) = (node, parent);
        }
        loop {
            self.last[node as usize] = tail;
            if node == cycle.inner {
                return tail;
            }
            node = self.parent[node as usize];
        }
    }

    /// Gives the subtrees from `node` upwards that end at `old` a new end.
    fn end_with(&mut self, mut node: u32, old: u32, new: u32) {
        while node != NONE && self.last[node as usize] == old {
            self.last[node as usize] = new;
            node = self.parent[node as usize];
        }
    }

    fn link(&mut self, node: u32, next: u32) {
        self.next[node as usize] = next;
        self.previous[next as usize] = node;
    }

    /// Puts the run from `first` to `last` behind a node.
    fn link_after(&mut self, node: u32, first: u32, last: u32) {
        let behind = self.next[node as usize];
        self.link(node, first);
        self.link(last, behind);
    }

    fn is_row(&self, node: u32) -> bool {
        node >= self.first_row
    }
}
