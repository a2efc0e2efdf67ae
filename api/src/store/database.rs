use std::collections::HashSet;
use std::error::Error;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool, SqlSafeStr, SqliteConnection, SqlitePool};
use tokio::runtime::Handle;
use utoipa::ToSchema;

use super::queue::Job;
use super::{postgres, sqlite};

/// How long an insert may take, the wait for other replicas' included: less than json-to-api waits for its answer.
pub(super) const WRITE_WITHIN: Duration = Duration::from_secs(8);

/// How long a read may take.
pub(super) const READ_WITHIN: Duration = Duration::from_secs(5);

/// Connections for reads.
pub(super) const READERS: u32 = 4;

/// Where documents are kept.
pub(super) enum Database {
    Postgres(PgConnectOptions),
    Sqlite(sqlite::Place),
}

impl Database {
    /// Reads a URL, and locks what is one process's alone; connects to nothing.
    ///
    /// # Errors
    /// Why it cannot be used. Does not repeat the URL: it may hold a password.
    pub(super) fn open(url: &str) -> anyhow::Result<Self> {
        let opened = match url.split_once(':') {
            Some(("postgres" | "postgresql", _)) => postgres::options(url).map(Self::Postgres),
            Some(("sqlite", _)) => sqlite::Place::open(url).map(Self::Sqlite),
            _ => {
                bail!("failed to read `--database-url`: it begins with neither `postgres://` nor `sqlite://`")
            }
        };
        opened.context("failed to use `--database-url`")
    }

    /// A connection to write with, to a database that has its tables.
    ///
    /// # Errors
    /// The database is away, or refuses.
    pub(super) async fn connect(&self) -> sqlx::Result<Connection> {
        match self {
            Self::Postgres(options) => postgres::connect(options).await.map(Connection::Postgres),
            Self::Sqlite(place) => place.connect().await.map(Connection::Sqlite),
        }
    }

    /// Who reads, on the present runtime.
    pub(super) fn reader(&self) -> Reader {
        let pool = match self {
            Self::Postgres(options) => Pool::Postgres(postgres::reader(options.clone())),
            Self::Sqlite(place) => Pool::Sqlite(place.reader()),
        };
        Reader { pool, runtime: Handle::current() }
    }
}

/// Why a URL cannot be read. All errors around this one say it again.
pub(super) fn unreadable(error: &sqlx::Error) -> anyhow::Error {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    anyhow::Error::msg(cause.to_string())
}

/// Makes the tables that are missing. A newer version's may be there: its replicas come one by one.
pub(super) async fn migrate(connection: &mut impl Migrate, documents: &'static str) -> sqlx::Result<()> {
    let documents = documents.into_sql_str();
    let documents = Migration::new(1, "documents".into(), MigrationType::Simple, documents, false);
    let mut migrator = Migrator::with_migrations(vec![documents]);
    migrator.set_ignore_missing(true);
    Ok(migrator.run_direct(None, connection, false).await?)
}

/// The one connection that writes.
pub(super) enum Connection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Connection {
    /// Stores a batch, all of it or nothing; returns the keys that were not known.
    ///
    /// # Errors
    /// [`refusal`](Self::refusal) tells which are a document's. After any other it is unknown what is stored.
    pub(super) async fn insert(&mut self, jobs: &[Job], pod: &str) -> sqlx::Result<HashSet<String>> {
        match self {
            Self::Postgres(connection) => postgres::insert(connection, jobs, pod).await,
            Self::Sqlite(connection) => sqlite::insert(connection, jobs, pod).await,
        }
    }

    /// Why a document of the batch is refused; none where the error is not a document's.
    pub(super) fn refusal(&self, error: &sqlx::Error) -> Option<String> {
        match self {
            Self::Postgres(_) => postgres::refusal(error),
            Self::Sqlite(_) => sqlite::refusal(error),
        }
    }

    /// Whether the database is still there.
    ///
    /// # Errors
    /// It is not.
    pub(super) async fn ping(&mut self) -> sqlx::Result<()> {
        match self {
            Self::Postgres(connection) => connection.ping().await,
            Self::Sqlite(connection) => connection.ping().await,
        }
    }

    /// Says goodbye; SQLite folds its log into the file.
    pub(super) async fn close(self) -> sqlx::Result<()> {
        match self {
            Self::Postgres(connection) => connection.close().await,
            Self::Sqlite(connection) => connection.close().await,
        }
    }
}

/// A document as it is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stored {
    /// Greater than those of all documents that were stored before.
    pub(crate) id: i64,
    /// The POST's `Idempotency-Key`.
    pub(crate) key: String,
    /// As it was sent; PostgreSQL orders its fields.
    #[schema(value_type = Object)]
    pub(crate) document: Box<RawValue>,
    /// When it was received, by RFC 3339.
    pub(crate) received: String,
    /// The pod that received it.
    pub(crate) pod: String,
}

type Row = (i64, String, String, String, String);

/// What databases say differently.
pub(super) struct Sql {
    /// Before an id, with these fields, so many rows, so many bytes: the newest first.
    pub(super) page: &'static str,
    /// After an id, so many rows, so many bytes: the oldest first.
    pub(super) since: &'static str,
    /// Of a key.
    pub(super) one: &'static str,
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("reading took longer than {READ_WITHIN:?}")]
    Slow,
    #[error("{0}")]
    Invalid(String),
    #[error("the database is away")]
    Away(#[source] sqlx::Error),
}

/// Asks the database, whichever runtime asks: connections are of one.
#[derive(Clone)]
pub(super) struct Reader {
    pool: Pool,
    runtime: Handle,
}

#[derive(Clone)]
enum Pool {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// Runs the same query, which may name the pool and the database's SQL, on either.
macro_rules! ask {
    ($reader:expr, |$pool:ident, $sql:ident| $query:expr) => {{
        let pool = $reader.pool.clone();
        let asked = $reader.runtime.spawn(async move {
            match &pool {
                Pool::Postgres($pool) => {
                    let $sql = &postgres::SQL;
                    $query.await.map_err(postgres::read_error)
                }
                Pool::Sqlite($pool) => {
                    let $sql = &sqlite::SQL;
                    $query.await.map_err(sqlite::read_error)
                }
            }
        });
        asked.await.unwrap_or_else(|_| Err(ReadError::Away(sqlx::Error::WorkerCrashed)))
    }};
}

impl Reader {
    /// Up to `limit` documents before the id `before` that have all `fields`, the newest first; fewer where they have
    /// more than `bytes`, but one at least.
    pub(super) async fn page(
        &self,
        before: i64,
        fields: &[(String, String)],
        limit: i64,
        bytes: i64,
    ) -> Result<Vec<Stored>, ReadError> {
        let fields = serde_json::json!(fields).to_string();
        let rows: Vec<Row> = ask!(self, |pool, sql| {
            sqlx::query_as(sql.page).bind(before).bind(fields).bind(limit).bind(bytes).fetch_all(pool)
        })?;
        rows.into_iter().map(Stored::of).collect()
    }

    /// Up to `limit` documents after the id `after`, the oldest first; fewer where they have more than `bytes`, but one at
    /// least.
    pub(super) async fn since(&self, after: i64, limit: i64, bytes: i64) -> Result<Vec<Stored>, ReadError> {
        let rows: Vec<Row> = ask!(self, |pool, sql| {
            sqlx::query_as(sql.since).bind(after).bind(limit).bind(bytes).fetch_all(pool)
        })?;
        rows.into_iter().map(Stored::of).collect()
    }

    /// The document of a key.
    pub(super) async fn one(&self, key: String) -> Result<Option<Stored>, ReadError> {
        let row: Option<Row> =
            ask!(self, |pool, sql| sqlx::query_as(sql.one).bind(key).fetch_optional(pool))?;
        row.map(Stored::of).transpose()
    }

    /// How many documents there are.
    pub(super) async fn count(&self) -> Result<i64, ReadError> {
        ask!(self, |pool, _sql| sqlx::query_scalar("SELECT count(*) FROM documents").fetch_one(pool))
    }

    /// The newest document's id; 0 where there is none.
    pub(super) async fn newest(&self) -> Result<i64, ReadError> {
        ask!(self, |pool, _sql| {
            sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM documents").fetch_one(pool)
        })
    }
}

impl Stored {
    fn of((id, key, document, received, pod): Row) -> Result<Self, ReadError> {
        // Never where only this program writes.
        let document =
            RawValue::from_string(document).map_err(|error| ReadError::Invalid(error.to_string()))?;
        Ok(Self { id, key, document, received, pod })
    }
}
