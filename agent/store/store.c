/* agent/store/store.c: opening, checking and migrating the database; transactions, counters, small blobs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "store/store_db.h"

#define APPLICATION_ID 0x63747264	/* "ctrd" */
#define SCHEMA_VERSION 1

static const char schema[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE counter (name INTEGER PRIMARY KEY, value INTEGER NOT NULL) STRICT;"
    "CREATE TABLE switch (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, last_poll INTEGER NOT NULL,"
    " last_complete INTEGER NOT NULL, baseline_at INTEGER NOT NULL, polls INTEGER NOT NULL, uptime_cs INTEGER NOT NULL,"
    " state INTEGER NOT NULL, unreachable_told INTEGER NOT NULL, tables BLOB) STRICT;"
    "CREATE TABLE detection (id INTEGER PRIMARY KEY, mac INTEGER NOT NULL UNIQUE, vendor TEXT NOT NULL, site TEXT NOT NULL,"
    " switch TEXT NOT NULL, presence INTEGER NOT NULL, handling INTEGER NOT NULL, origin INTEGER NOT NULL,"
    " severity INTEGER NOT NULL, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE presence (detection INTEGER NOT NULL REFERENCES detection (id), began INTEGER NOT NULL,"
    " ended INTEGER NOT NULL, switch TEXT NOT NULL, if_index INTEGER NOT NULL, port TEXT NOT NULL, alias TEXT NOT NULL,"
    " vlan INTEGER NOT NULL) STRICT;"
    "CREATE INDEX presence_of ON presence (detection, began);"
    "CREATE TABLE event (sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, type INTEGER NOT NULL, at INTEGER NOT NULL,"
    " detection INTEGER NOT NULL, body BLOB NOT NULL) STRICT;"
    "CREATE INDEX event_at ON event (at);"
    "CREATE TABLE outbox (row INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT NULL, queued INTEGER NOT NULL,"
    " body BLOB NOT NULL) STRICT;";

int
db_failed(struct store *s)
{
	int code = sqlite3_errcode(s->db);

	snprintf(s->error, sizeof s->error, "%s", sqlite3_errmsg(s->db));
	return code == SQLITE_FULL ? -ENOSPC : code == SQLITE_NOMEM ? -ENOMEM : -EIO;
}

sqlite3_stmt *
db_prepare(struct store *s, const char *sql)
{
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK)
		db_failed(s);
	return q;
}

void
db_text(sqlite3_stmt *q, int at, const char *text)
{
	sqlite3_bind_text(q, at, text, -1, SQLITE_TRANSIENT);
}

void
db_blob(sqlite3_stmt *q, int at, const void *p, size_t n)
{
	if (n > 0)
		sqlite3_bind_blob64(q, at, p, n, SQLITE_TRANSIENT);
}

void
db_int(sqlite3_stmt *q, int at, int64_t v)
{
	sqlite3_bind_int64(q, at, v);
}

int
db_step(struct store *s, sqlite3_stmt *q)
{
	int rc = q != NULL ? sqlite3_step(q) : SQLITE_ERROR;

	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_failed(s);
}

int
db_run(struct store *s, sqlite3_stmt *q)
{
	int rc = db_step(s, q);

	sqlite3_finalize(q);
	return rc > 0 ? 0 : rc;
}

void
db_column_text(sqlite3_stmt *q, int at, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(q, at);

	text_cut(out, size, text != NULL ? (const char *)text : "");
}

static int
exec(struct store *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_failed(s);
}

static int64_t
pragma(struct store *s, const char *sql)
{
	sqlite3_stmt *q = db_prepare(s, sql);
	int64_t v = q != NULL && sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : -1;

	sqlite3_finalize(q);
	return v;
}

/* True when every page and index is in order. */
static bool
is_sound(struct store *s)
{
	sqlite3_stmt *q = db_prepare(s, "PRAGMA integrity_check(1)");
	bool ok = q != NULL && sqlite3_step(q) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(q, 0), "ok") == 0;

	sqlite3_finalize(q);
	return ok;
}

static int
db_open(struct store *s, const char *path, int flags)
{
	if (sqlite3_open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return s->db != NULL ? db_failed(s) : -ENOMEM;
	sqlite3_busy_timeout(s->db, 2000);
	return (flags & SQLITE_OPEN_READONLY) != 0 ? exec(s, "PRAGMA query_only=1") : 0;
}

/* Only for a file that is known to be ours: changing the journal mode writes to it. */
static int
db_settings(struct store *s)
{
	return exec(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"
	    "PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864;");
}

/* A fresh file gets its schema, an old one is migrated, a newer one is left alone. 1: it was fresh; 0; -EPROTO; -EBADMSG: not ours. */
static int
schema_judge(struct store *s)
{
	int64_t id = pragma(s, "PRAGMA application_id"), version = pragma(s, "PRAGMA user_version");
	int64_t tables = pragma(s, "SELECT count(*) FROM sqlite_schema");
	char sql[128];

	if (id == 0 && tables == 0) {
		snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", APPLICATION_ID, SCHEMA_VERSION);
		if (exec(s, "BEGIN IMMEDIATE") < 0 || exec(s, schema) < 0 || exec(s, sql) < 0)
			return -EIO;
		return 1;
	}
	if (id != APPLICATION_ID || version < 1)
		return -EBADMSG;
	if (version > SCHEMA_VERSION)
		return -EPROTO;
	return is_sound(s) ? 0 : -EBADMSG;
}

/* DIR/camtrapd.db and its two helpers out of the way, under a name with the time. */
static int
move_aside(const char *path, struct wall now, char *moved, size_t size)
{
	static const char *const tails[] = { "", "-wal", "-shm" };
	char from[512], to[512];

	for (int i = 0; i < 3; i++) {
		if ((size_t)snprintf(from, sizeof from, "%s%s", path, tails[i]) >= sizeof from ||
		    (size_t)snprintf(to, sizeof to, "%s.corrupt-%" PRId64 "%s", path, now.us / 1000000, tails[i]) >= sizeof to)
			return -ENAMETOOLONG;
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
		if (i == 0)
			text_cut(moved, size, to);
	}
	return 0;
}

/* The epoch is the second of creation: it differs from that of any database that was lost before. */
static int
epoch_make(struct store *s, struct wall now, uint32_t *epoch)
{
	struct buf b = { 0 };
	int rc;

	put_u32(&b, (uint32_t)(now.us / 1000000));
	*epoch = (uint32_t)(now.us / 1000000);
	if ((rc = store_begin(s)) == 0 && (rc = store_meta_put(s, "epoch", b.p, b.len)) == 0)
		rc = store_commit(s);
	buf_free(&b);
	return rc;
}

static int
epoch_read(struct store *s, struct wall now, bool fresh, uint32_t *epoch)
{
	struct buf b = { 0 };
	int rc = fresh ? -ENOENT : store_meta_get(s, "epoch", &b);

	if (rc == 0) {
		struct msg_in m = msg_in_of(b.p, b.len);

		*epoch = get_u32(&m);
		rc = msg_in_done(&m) ? 0 : -ENOENT;
	}
	buf_free(&b);
	return rc == -ENOENT ? epoch_make(s, now, epoch) : rc;
}

int
store_open(struct store **out, const char *dir, struct wall now, struct store_opened *opened)
{
	struct store *s = *out = calloc(1, sizeof *s);
	char path[384];
	mode_t mask;
	int rc;

	*opened = (struct store_opened){ 0 };
	if (s == NULL || (size_t)snprintf(path, sizeof path, "%s/camtrapd.db", dir) >= sizeof path)
		return s == NULL ? -ENOMEM : -ENAMETOOLONG;
	mask = umask(0027);
	rc = db_open(s, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (rc == 0)
		rc = schema_judge(s);
	if (rc == -EBADMSG || (rc == -EIO && sqlite3_errcode(s->db) == SQLITE_NOTADB) || (rc == -EIO && sqlite3_errcode(s->db) == SQLITE_CORRUPT)) {
		sqlite3_close(s->db);
		s->db = NULL;
		opened->state_lost = true;
		if ((rc = move_aside(path, now, opened->moved_to, sizeof opened->moved_to)) == 0 &&
		    (rc = db_open(s, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) == 0)
			rc = schema_judge(s);
	}
	if (rc >= 0) {
		opened->created = rc == 1;
		rc = db_settings(s) < 0 ? -EIO : rc;
	}
	umask(mask);
	if (rc < 0)
		return rc;
	return epoch_read(s, now, rc == 1, &opened->epoch);
}

int
store_open_reader(struct store **out, const char *dir)
{
	struct store *s = calloc(1, sizeof *s);
	char path[384];
	int rc;

	*out = NULL;
	if (s == NULL || (size_t)snprintf(path, sizeof path, "%s/camtrapd.db", dir) >= sizeof path) {
		free(s);
		return -ENOMEM;
	}
	if ((rc = db_open(s, path, SQLITE_OPEN_READONLY)) == 0 && pragma(s, "PRAGMA user_version") != SCHEMA_VERSION)
		rc = -EPROTO;
	if (rc < 0) {
		store_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	sqlite3_close(s->db);
	free(s);
}

const char *
store_error(const struct store *s)
{
	return s == NULL ? "out of memory" : s->error[0] != '\0' ? s->error : "no error";
}

int
store_begin(struct store *s)
{
	return exec(s, "BEGIN IMMEDIATE");
}

int
store_commit(struct store *s)
{
	return exec(s, "COMMIT");
}

void
store_rollback(struct store *s)
{
	/* SQLite has rolled back by itself when the disk was full. */
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

int
store_next(struct store *s, enum store_counter c, uint32_t *out)
{
	sqlite3_stmt *q = db_prepare(s, "INSERT INTO counter (name, value) VALUES (?1, 1)"
	    " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value");
	int rc;

	if (q == NULL)
		return -EIO;
	db_int(q, 1, c);
	if ((rc = db_step(s, q)) == 1) {
		*out = (uint32_t)sqlite3_column_int64(q, 0);
		rc = db_step(s, q);
	}
	sqlite3_finalize(q);
	return rc;
}

int
store_meta_put(struct store *s, const char *name, const void *p, size_t n)
{
	sqlite3_stmt *q = db_prepare(s, "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)");

	if (q == NULL)
		return -EIO;
	db_text(q, 1, name);
	db_blob(q, 2, p, n);
	return db_run(s, q);
}

int
store_meta_get(struct store *s, const char *name, struct buf *out)
{
	sqlite3_stmt *q = db_prepare(s, "SELECT value FROM meta WHERE name = ?1");
	int rc;

	if (q == NULL)
		return -EIO;
	db_text(q, 1, name);
	if ((rc = db_step(s, q)) == 1) {
		put_bytes(out, sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0));
		rc = out->bad ? -ENOMEM : 0;
	} else if (rc == 0)
		rc = -ENOENT;
	sqlite3_finalize(q);
	return rc;
}

int
store_prune(struct store *s, struct wall before)
{
	static const char *const statements[] = { "DELETE FROM presence WHERE ended < ?1", "DELETE FROM event WHERE at < ?1" };
	int rc = 0;

	for (size_t i = 0; i < sizeof statements / sizeof *statements && rc == 0; i++) {
		sqlite3_stmt *q = db_prepare(s, statements[i]);

		if (q == NULL)
			return -EIO;
		db_int(q, 1, before.us);
		rc = db_run(s, q);
	}
	return rc;
}
