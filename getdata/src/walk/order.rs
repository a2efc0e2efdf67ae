//! What is left of a walk, in the order of the listing, while several threads work on it out of order.
//!
//! A stack whose top comes next in the listing. Threads begin what is nearest to the top; finished texts wait until all
//! that comes before them is out. How far threads may run ahead is bounded, and with it what waits: only what stands at
//! the very top may always be begun, so that the walk never comes to a halt.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// So many tasks may be begun or finished and wait for the top.
const AHEAD: usize = 256;

/// So many bytes, of text and of names still to be listed, may wait for the top.
const AHEAD_BYTES: usize = 4 << 20;

/// One step of the walk. Paths are relative to the root, which is the empty path.
#[derive(Debug)]
pub(super) enum Task {
    /// Open a directory, and list what it holds.
    Directory(Vec<u8>),
    /// List these entries of a directory; each name ends in a NUL.
    Names { directory: Arc<[u8]>, names: Vec<u8> },
    /// Go on with a directory too large to be read at once.
    Rest { directory: Arc<[u8]>, opened: OwnedFd },
}

/// One or several tasks that nobody has begun.
#[derive(Debug)]
pub(super) enum Todo {
    Task(Task),
    Directories(Directories),
}

impl Todo {
    fn tasks(&self) -> usize {
        match self {
            Todo::Task(_) => 1,
            Todo::Directories(directories) => directories.left,
        }
    }

    /// What it holds in memory.
    fn bytes(&self) -> usize {
        match self {
            Todo::Task(Task::Directory(path)) => path.len(),
            Todo::Task(Task::Names { names, .. }) | Todo::Directories(Directories { names, .. }) => {
                names.len()
            }
            // An open file; it comes with more than enough names.
            Todo::Task(Task::Rest { .. }) => 0,
        }
    }
}

/// Directories of one directory, to be listed one after the other.
#[derive(Debug)]
pub(super) struct Directories {
    parent: Arc<[u8]>,
    /// Each name ends in a NUL.
    names: Vec<u8>,
    /// Where the next name starts.
    next: usize,
    left: usize,
}

impl Directories {
    pub(super) fn new(parent: Arc<[u8]>, names: Vec<u8>) -> Self {
        let left = names.iter().filter(|&&byte| byte == 0).count();
        Self { parent, names, next: 0, left }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The path of the next one.
    fn take(&mut self) -> Vec<u8> {
        let rest = &self.names[self.next..];
        let name = &rest[..rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len())];
        self.next += name.len() + 1;
        self.left -= 1;
        match &*self.parent {
            [] => name.to_vec(),
            parent => [parent, b"/", name].concat(),
        }
    }
}

/// What a task gave.
#[derive(Debug, Default)]
pub(super) struct Finished {
    pub text: Vec<u8>,
    /// What comes after the text and before all else, first things first.
    pub then: Vec<Todo>,
}

impl Finished {
    fn bytes(&self) -> usize {
        self.text.len() + self.then.iter().map(Todo::bytes).sum::<usize>()
    }
}

/// What a thread is to do.
#[derive(Debug)]
pub(super) enum Pick {
    Task(u64, Task),
    /// Nothing until another thread finishes.
    Wait,
    /// All is done.
    End,
}

#[derive(Debug)]
enum Item {
    /// A thread is at it, or it is finished; by its number.
    Begun(u64),
    Todo(Todo),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The last item comes next.
    items: Vec<Item>,
    finished: HashMap<u64, Finished>,
    /// How many items are begun, and how many tasks are not.
    begun: usize,
    left: usize,
    waiting_bytes: usize,
    next_number: u64,
}

impl Order {
    pub(super) fn new(first: Todo) -> Self {
        let mut order = Self::default();
        order.push(first);
        order
    }

    /// The task nearest to the top.
    pub(super) fn pick(&mut self) -> Pick {
        match self.items.last() {
            None => return Pick::End,
            Some(Item::Begun(_)) if self.begun >= AHEAD || self.waiting_bytes >= AHEAD_BYTES => {
                return Pick::Wait;
            }
            Some(_) => {}
        }
        let Some(place) = self.items.iter().rposition(|item| !matches!(item, Item::Begun(_))) else {
            return Pick::Wait;
        };
        let number = self.next_number;
        self.next_number += 1;
        self.begun += 1;
        self.left -= 1;
        Pick::Task(number, self.begin(place, number))
    }

    fn begin(&mut self, place: usize, number: u64) -> Task {
        match &mut self.items[place] {
            Item::Todo(Todo::Directories(directories)) if directories.left > 1 => {
                let path = directories.take();
                self.items.insert(place + 1, Item::Begun(number));
                Task::Directory(path)
            }
            item => match std::mem::replace(item, Item::Begun(number)) {
                Item::Todo(Todo::Task(task)) => task,
                Item::Todo(Todo::Directories(mut last)) => Task::Directory(last.take()),
                Item::Begun(_) => unreachable!("the place was chosen since nobody has begun it"),
            },
        }
    }

    /// Takes what a task gave, and appends to `out` all text that is due.
    pub(super) fn finish(&mut self, number: u64, finished: Finished, out: &mut Vec<u8>) {
        self.waiting_bytes += finished.bytes();
        self.finished.insert(number, finished);
        while let Some(Item::Begun(top)) = self.items.last()
            && let Some(finished) = self.finished.remove(top)
        {
            self.items.pop();
            self.begun -= 1;
            self.waiting_bytes -= finished.bytes();
            out.extend_from_slice(&finished.text);
            finished.then.into_iter().rev().for_each(|item| self.push(item));
        }
    }

    /// Whether another thread is worth waking: there is more than the calling one will pick itself, and some way to run
    /// ahead.
    pub(super) fn has_work_for_another(&self) -> bool {
        let has_room = self.begun <= AHEAD / 2 && self.waiting_bytes <= AHEAD_BYTES / 2;
        self.left > 1 && has_room
    }

    fn push(&mut self, todo: Todo) {
        let tasks = todo.tasks();
        if tasks > 0 {
            self.left += tasks;
            self.items.push(Item::Todo(todo));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::TestRng;

    /// A directory's subdirectories by their number, which is their name.
    type Tree = Vec<Vec<usize>>;

    fn trees() -> impl Strategy<Value = Tree> {
        // Directory n hangs below one of the directories before it.
        prop::collection::vec(any::<prop::sample::Index>(), 0..400).prop_map(|parents| {
            let mut tree = vec![Vec::new()];
            for parent in parents {
                let parent = parent.index(tree.len());
                let child = tree.len();
                tree[parent].push(child);
                tree.push(Vec::new());
            }
            tree
        })
    }

    fn text(path: &[u8]) -> Vec<u8> {
        [path, b"\n"].concat()
    }

    fn work(tree: &Tree, path: &[u8]) -> Finished {
        let number = path.rsplit(|&byte| byte == b'/').next().filter(|name| !name.is_empty());
        let number = number.map_or(0, |name| std::str::from_utf8(name).unwrap().parse().unwrap());
        let names = tree[number].iter().flat_map(|child| format!("{child}\0").into_bytes()).collect();
        Finished { text: text(path), then: vec![Todo::Directories(Directories::new(path.into(), names))] }
    }

    fn in_order(tree: &Tree, path: &[u8], directory: usize, out: &mut Vec<u8>) {
        out.extend(text(path));
        for &child in &tree[directory] {
            let name = child.to_string().into_bytes();
            let path = if path.is_empty() { name } else { [path, b"/", &name].concat() };
            in_order(tree, &path, child, out);
        }
    }

    /// Walks with so many threads, which finish as chance has it; returns the text.
    fn walk(tree: &Tree, threads: usize, chance: &mut TestRng) -> Vec<u8> {
        let mut order = Order::new(Todo::Task(Task::Directory(Vec::new())));
        let mut at_work = Vec::new();
        let mut out = Vec::new();
        loop {
            let picks = chance.random_range(0..=threads - at_work.len());
            let mut pick = None;
            for _ in 0..picks.max(usize::from(at_work.is_empty())) {
                match order.pick() {
                    Pick::Task(number, Task::Directory(path)) => at_work.push((number, path)),
                    other => pick = Some(other),
                }
            }
            if at_work.is_empty() {
                assert!(matches!(pick, Some(Pick::End)), "everyone waits: {pick:?}");
                return out;
            }
            let (number, path) = at_work.swap_remove(chance.random_range(0..at_work.len()));
            order.finish(number, work(tree, &path), &mut out);
            assert!(order.begun <= AHEAD + 1 && order.begun >= at_work.len());
        }
    }

    proptest! {
        #[test]
        fn the_text_is_in_order_whatever_finishes_first(
            tree in trees(), threads in 1..8_usize, mut chance in any::<u64>().prop_perturb(|_, rng| rng),
        ) {
            let mut expected = Vec::new();
            in_order(&tree, b"", 0, &mut expected);
            prop_assert_eq!(
                String::from_utf8(walk(&tree, threads, &mut chance)),
                String::from_utf8(expected)
            );
        }
    }

    fn directories(count: usize) -> Todo {
        let names = (0..count).flat_map(|name| format!("{name}\0").into_bytes()).collect();
        Todo::Directories(Directories::new(Arc::from(&b""[..]), names))
    }

    #[test]
    fn threads_run_ahead_of_a_slow_one_so_far_and_no_further() {
        let mut order = Order::new(directories(10 * AHEAD));
        let Pick::Task(slow, _) = order.pick() else { panic!("there is work") };
        let mut out = Vec::new();
        for _ in 1..AHEAD {
            let Pick::Task(number, Task::Directory(path)) = order.pick() else { panic!("there is room") };
            order.finish(number, Finished { text: text(&path), then: Vec::new() }, &mut out);
        }
        assert!(matches!(order.pick(), Pick::Wait));
        assert!(out.is_empty());

        order.finish(slow, Finished::default(), &mut out);
        assert!(matches!(order.pick(), Pick::Task(..)));
        assert!(out.starts_with(b"1\n2\n3\n"));
    }

    #[test]
    fn waiting_text_is_bounded_but_for_what_is_next() {
        let mut order = Order::new(directories(10));
        let Pick::Task(slow, _) = order.pick() else { panic!("there is work") };
        let Pick::Task(number, _) = order.pick() else { panic!("there is room") };
        let mut out = Vec::new();
        order.finish(number, Finished { text: vec![b'x'; AHEAD_BYTES], then: Vec::new() }, &mut out);
        assert!(matches!(order.pick(), Pick::Wait));

        // What the slow one leaves to do stands at the top now, with the long text still below it.
        order.finish(slow, Finished { text: Vec::new(), then: vec![directories(1)] }, &mut out);
        let Pick::Task(..) = order.pick() else { panic!("the next thing can always be begun") };
        assert!(matches!(order.pick(), Pick::Wait));
    }
}
