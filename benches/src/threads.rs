//! A fixed number of threads for our solver, which by itself would take as many as there are.

/// Threads that a solve may use.
#[derive(Debug)]
pub struct Threads {
    #[cfg(feature = "threads")]
    pool: rayon::ThreadPool,
}

impl Threads {
    /// So many; without feature `threads`, one.
    ///
    /// # Errors
    /// If they cannot be started.
    pub fn new(count: usize) -> anyhow::Result<Self> {
        #[cfg(feature = "threads")]
        {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build()?;
            Ok(Self { pool })
        }
        #[cfg(not(feature = "threads"))]
        {
            let _ = count;
            Ok(Self {})
        }
    }

    /// How many a solve may use on this machine at most.
    #[must_use]
    pub fn most() -> usize {
        if cfg!(feature = "threads") {
            std::thread::available_parallelism().map_or(1, usize::from)
        } else {
            1
        }
    }

    /// Runs a solve on these threads and on no other.
    pub fn run<R: Send>(&self, solve: impl FnOnce() -> R + Send) -> R {
        #[cfg(feature = "threads")]
        {
            self.pool.install(solve)
        }
        #[cfg(not(feature = "threads"))]
        {
            solve()
        }
    }
}

#[cfg(all(test, feature = "threads"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_solve_has_its_own_threads() {
        for count in [1, 3] {
            let threads = Threads::new(count).unwrap();
            assert_eq!(threads.run(rayon::current_num_threads), count);
        }
    }
}
