use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Instant;

use anyhow::{Context as _, bail};
use sqlx::error::ErrorKind;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, QueryBuilder, Sqlite, SqliteConnection, SqlitePool};

use super::database::{READ_WITHIN, READERS, ReadError, Sql, migrate, unreadable};
use super::queue::Job;

/// So often a read looks at the clock, in instructions of SQLite's machine.
const LOOK_EVERY: i32 = 10_000;

/// The extended result code of an interrupted statement.
const INTERRUPT: &str = "9";

/// Sizes first: only documents that are given are carried along.
pub(super) const SQL: Sql = Sql {
    page: "SELECT id, key, document, received, pod FROM documents JOIN (
            SELECT id, sum(size) OVER (ORDER BY id DESC) - size AS before FROM (
                SELECT id, octet_length(document) AS size FROM documents
                WHERE id < $1 AND NOT EXISTS (
                    SELECT 1 FROM json_each($2) AS wanted
                    WHERE NOT EXISTS (
                        SELECT 1 FROM json_each(documents.document) AS field
                        WHERE field.key = wanted.value ->> 0 AND CASE field.type
                            WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(field.atom AS TEXT)
                        END = wanted.value ->> 1
                    )
                )
                ORDER BY id DESC LIMIT $3
            )
        ) USING (id) WHERE before < $4 ORDER BY id DESC",
    since: "SELECT id, key, document, received, pod FROM documents JOIN (
            SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM (
                SELECT id, octet_length(document) AS size FROM documents
                WHERE id > $1 ORDER BY id LIMIT $2
            )
        ) USING (id) WHERE before < $3 ORDER BY id",
    one: "SELECT id, key, document, received, pod FROM documents WHERE key = $1",
};

/// A database in a file, which is this process's alone.
pub(super) struct Place {
    options: SqliteConnectOptions,
    /// Held as long as the process lives. Not the database's own file: closing that would free SQLite's locks.
    _lock: File,
}

impl Place {
    /// # Errors
    /// A URL that names no file; a directory that cannot be written to; a database that another process has.
    pub(super) fn open(url: &str) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::from_str(url).map_err(|error| unreadable(&error))?;
        let file = options.get_filename().to_owned();
        if !file.is_absolute() {
            bail!("it names no file by its whole path, such as `sqlite:///data/documents.db`");
        }
        let options = options
            .disable_statement_logging()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // On the disk before it is answered, also where the power fails.
            .synchronous(SqliteSynchronous::Full)
            // There may be nowhere else to write to.
            .pragma("temp_store", "memory");
        Ok(Self { options, _lock: lock(file)? })
    }

    /// # Errors
    /// A file that is no database, or cannot be written.
    pub(super) async fn connect(&self) -> sqlx::Result<SqliteConnection> {
        let mut connection = SqliteConnection::connect_with(&self.options).await?;
        migrate(&mut connection, include_str!("../../migrations/sqlite/1_documents.sql")).await?;
        Ok(connection)
    }

    /// Opens the file when it is asked something.
    pub(super) fn reader(&self) -> SqlitePool {
        let options = self.options.clone().create_if_missing(false).read_only(true);
        SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(READ_WITHIN)
            .after_connect(|connection, _| Box::pin(limit(connection)))
            .before_acquire(|connection, _| {
                Box::pin(async {
                    limit(connection).await?;
                    Ok(true)
                })
            })
            .connect_lazy_with(options)
    }
}

fn lock(mut file: PathBuf) -> anyhow::Result<File> {
    file.as_mut_os_string().push(".lock");
    let path = file.display();
    let lock = OpenOptions::new().create(true).append(true).open(&file);
    let lock = lock.with_context(|| format!("failed to open `{path}`"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!("another api has the database: `{path}` is locked"),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("failed to lock `{path}`")),
    }
}

/// From now on, since it is one statement for which a connection is taken.
async fn limit(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    let end = Instant::now() + READ_WITHIN;
    connection.lock_handle().await?.set_progress_handler(LOOK_EVERY, move || Instant::now() < end);
    Ok(())
}

/// Stores a batch in one statement, which is one transaction; returns the keys that were not known.
///
/// # Errors
/// Those of the database, after which nothing of it is stored.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    jobs: &[Job],
    pod: &str,
) -> sqlx::Result<HashSet<String>> {
    let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO documents (key, document, received, pod) ");
    insert.push_values(jobs, |mut row, job| {
        row.push_bind(&job.key).push_bind(&job.document).push_bind(&job.received).push_bind(pod);
    });
    insert.push(" ON CONFLICT (key) DO NOTHING RETURNING key");
    // A statement for each size of a batch: not worth keeping.
    let insert = insert.build_query_scalar().persistent(false);
    Ok(insert.fetch_all(connection).await?.into_iter().collect())
}

/// Why a document is refused that is JSON; none where the error is not the document's.
pub(super) fn refusal(error: &sqlx::Error) -> Option<String> {
    let is_refused = error.as_database_error()?.kind() == ErrorKind::CheckViolation;
    is_refused.then(|| "it is nested too deep".to_owned())
}

/// What a failed read means.
pub(super) fn read_error(error: sqlx::Error) -> ReadError {
    let code = error.as_database_error().and_then(|error| error.code());
    if code.as_deref() == Some(INTERRUPT) { ReadError::Slow } else { ReadError::Away(error) }
}
