use std::collections::HashSet;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgPoolOptions};
use sqlx::{ConnectOptions, Connection as _, PgConnection, PgPool};

use super::database::{READ_WITHIN, READERS, ReadError, Sql, WRITE_WITHIN, migrate, unreadable};
use super::queue::Job;

/// The parts of a batch as arrays, parsed before its turn comes. Turns make ids visible in their order, whichever replica
/// gives them: a stream that has seen one has seen all before it. The lock is this number in each database.
const INSERT: &str = "
    WITH batch AS MATERIALIZED (
        SELECT key, document::jsonb AS document, received::timestamptz AS received
        FROM unnest($1::text[], $2::text[], $3::text[]) AS row (key, document, received)
    ), turn AS MATERIALIZED (
        SELECT pg_advisory_xact_lock(7726051799750766693) FROM (SELECT count(*) FROM batch) AS parsed
    )
    INSERT INTO documents (key, document, received, pod)
    SELECT key, document, received, $4 FROM turn, batch
    ON CONFLICT (key) DO NOTHING
    RETURNING key";

macro_rules! row {
    () => {
        r#"id, key, document::text AS document,
        to_char(received AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS received, pod"#
    };
}

/// Sizes first: only documents that are given are carried along.
pub(super) const SQL: Sql = Sql {
    page: concat!(
        "SELECT ",
        row!(),
        " FROM documents JOIN (
            SELECT id, sum(size) OVER (ORDER BY id DESC) - size AS before FROM (
                SELECT id, octet_length(document::text) AS size FROM documents
                WHERE id < $1 AND NOT EXISTS (
                    SELECT FROM jsonb_array_elements($2::jsonb) AS wanted
                    WHERE documents.document ->> (wanted ->> 0) IS DISTINCT FROM wanted ->> 1
                )
                ORDER BY id DESC LIMIT $3
            ) AS page
        ) AS measured USING (id) WHERE before < $4 ORDER BY id DESC"
    ),
    since: concat!(
        "SELECT ",
        row!(),
        " FROM documents JOIN (
            SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM (
                SELECT id, octet_length(document::text) AS size FROM documents
                WHERE id > $1 ORDER BY id LIMIT $2
            ) AS page
        ) AS measured USING (id) WHERE before < $3 ORDER BY id"
    ),
    one: concat!("SELECT ", row!(), " FROM documents WHERE key = $1"),
};

/// Reads a URL, as libpq has it.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn options(url: &str) -> anyhow::Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url).map_err(|error| unreadable(&error))?;
    Ok(options.disable_statement_logging())
}

/// # Errors
/// No connection, or no right to make or use the table.
pub(super) async fn connect(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let mut connection = PgConnection::connect_with(options).await?;
    migrate(&mut connection, include_str!("../../migrations/postgres/1_documents.sql")).await?;
    limit(&mut connection, WRITE_WITHIN).await?;
    Ok(connection)
}

/// Connects when it is asked something.
pub(super) fn reader(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(READ_WITHIN)
        .after_connect(|connection, _| Box::pin(limit(connection, READ_WITHIN)))
        .connect_lazy_with(options)
}

/// The server gives up, too: what nobody waits for would hold its turn or its processor.
async fn limit(connection: &mut PgConnection, within: Duration) -> sqlx::Result<()> {
    let setting = "SELECT set_config('statement_timeout', $1, false)";
    sqlx::query(setting).bind(within.as_millis().to_string()).execute(connection).await?;
    Ok(())
}

/// Stores a batch in one statement, which is one transaction; returns the keys that were not known.
///
/// # Errors
/// Those of the database, after which nothing of it is stored, unless the connection broke.
pub(super) async fn insert(
    connection: &mut PgConnection,
    jobs: &[Job],
    pod: &str,
) -> sqlx::Result<HashSet<String>> {
    let keys: Vec<&str> = jobs.iter().map(|job| job.key.as_str()).collect();
    let documents: Vec<&str> = jobs.iter().map(|job| job.document.as_str()).collect();
    let received: Vec<&str> = jobs.iter().map(|job| job.received.as_str()).collect();
    let insert = sqlx::query_scalar(INSERT).bind(keys).bind(documents).bind(received).bind(pod);
    Ok(insert.fetch_all(connection).await?.into_iter().collect())
}

/// Why a document is refused that is JSON; none where the error is not the document's.
pub(super) fn refusal(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    // Data exceptions, broken constraints, and what exceeds the server's limits, such as the depth of its stack.
    let is_refused = ["22", "23", "54"].iter().any(|class| error.code().starts_with(class));
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    is_refused.then(|| format!("{}{detail}", error.message()))
}

/// What a failed read means.
pub(super) fn read_error(error: sqlx::Error) -> ReadError {
    let code = error.as_database_error().and_then(|error| error.code());
    match (code.as_deref(), refusal(&error)) {
        (Some("57014"), _) => ReadError::Slow,
        (_, Some(reason)) => ReadError::Invalid(reason),
        _ => ReadError::Away(error),
    }
}
