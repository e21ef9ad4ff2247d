/* agent/store/store.c: opening, judging and moving aside the database; transactions, counters, small blobs, pruning. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "store/store_db.h"

#define APPLICATION_ID 0x63747264	/* "ctrd" */
#define SCHEMA_VERSION 2
#define PATH_OCTETS 384

#define SWITCH_ROWS "CREATE TABLE switch_rows (number INTEGER PRIMARY KEY REFERENCES switch (number) ON DELETE CASCADE," \
    " rows BLOB NOT NULL) STRICT;"

static const char schema[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE counter (name INTEGER PRIMARY KEY, value INTEGER NOT NULL) STRICT;"
    "CREATE TABLE switch (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, last_poll INTEGER NOT NULL,"
    " last_complete INTEGER NOT NULL, baseline_at INTEGER NOT NULL, polls INTEGER NOT NULL, uptime_cs INTEGER NOT NULL,"
    " state INTEGER NOT NULL, unreachable_told INTEGER NOT NULL) STRICT;"
    SWITCH_ROWS
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

/* From one version to the next: upgrades[0] makes version 2 of version 1. */
static const char *const upgrades[SCHEMA_VERSION - 1] = {
    SWITCH_ROWS "INSERT INTO switch_rows SELECT number, tables FROM switch WHERE tables IS NOT NULL; ALTER TABLE switch DROP COLUMN tables",
};

static struct store *
store_new(void)
{
	struct store *s = calloc(1, sizeof *s);

	if (s != NULL)
		s->lock = -1;
	return s;
}

/* "DIR/camtrapd.db". */
static int
path_of(struct store *s, const char *dir, char path[static PATH_OCTETS])
{
	if ((size_t)snprintf(path, PATH_OCTETS, "%s/camtrapd.db", dir) < PATH_OCTETS)
		return 0;
	snprintf(s->error, sizeof s->error, "the path of the folder is longer than %d octets", PATH_OCTETS - 32);
	return -ENAMETOOLONG;
}

/* One camtrapd per folder, and one that may write to it. The folder itself is locked: nothing is left behind,
 * and the lock ends with the process however that ends. */
static int
dir_lock(struct store *s, const char *dir)
{
	int err;

	if ((s->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0 && faccessat(s->lock, ".", W_OK | X_OK, AT_EACCESS) == 0 &&
	    flock(s->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	err = errno;
	if (err == EWOULDBLOCK) {
		snprintf(s->error, sizeof s->error, "another camtrapd uses this folder");
		return -EBUSY;
	}
	snprintf(s->error, sizeof s->error, "the folder cannot be used: %s", strerror(err));
	return -err;
}

/* 0: every page and index is in order. -EBADMSG: not; s->error says what. Another error: that cannot be told now. */
static int
soundness(struct store *s)
{
	sqlite3_stmt *q = db_prepare(s, "PRAGMA integrity_check(1)");
	char found[400], text[200];
	int rc = db_step(s, q);

	assert(rc != 0);		/* "ok", or what is wrong */
	if (rc == 1) {
		db_column_text(q, 0, found, sizeof found);
		text_clean(text, sizeof text, found, strlen(found));	/* several lines */
		rc = strcmp(text, "ok") == 0 ? 0 : db_broken(s, text);
	}
	db_done(q);
	return rc;
}

/* Writes to the file: only for one that is ours or new. */
static int
settings(struct store *s)
{
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return db_exec(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"
	    "PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864;");
}

/* The epoch is drawn, not read off a clock, which may be set back to a time it had before. Part of the open transaction. */
static int
epoch_make(struct store *s, uint32_t *epoch)
{
	struct buf b = { 0 };
	int rc;

	do {
		if (getrandom(epoch, sizeof *epoch, 0) != sizeof *epoch) {
			snprintf(s->error, sizeof s->error, "no random numbers");
			return -EIO;
		}
		*epoch &= INT32_MAX;	/* some receivers take Unsigned32 for a signed number */
	} while (*epoch == 0);
	put_u32(&b, *epoch);
	rc = store_meta_put(s, "epoch", b.p, b.len);
	buf_free(&b);
	return rc;
}

/* All of the schema or nothing, so that a file with tables is a file of one version. */
static int
schema_make(struct store *s)
{
	char sql[80];
	uint32_t epoch;
	int rc;

	snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION_ID, SCHEMA_VERSION);
	if ((rc = store_begin(s)) < 0 || (rc = db_exec(s, schema)) < 0 || (rc = db_exec(s, sql)) < 0 || (rc = epoch_make(s, &epoch)) < 0 ||
	    (s->moved_to[0] != '\0' && (rc = store_meta_put(s, STORE_STATE_LOST, s->moved_to, strlen(s->moved_to))) < 0) ||
	    (rc = store_commit(s)) < 0)
		store_rollback(s);
	return rc;
}

/* All of it or nothing: what fails, for want of room say, is tried again at the next start. */
static int
schema_upgrade(struct store *s, int64_t version)
{
	char sql[40];
	int rc = store_begin(s);

	snprintf(sql, sizeof sql, "PRAGMA user_version=%d", SCHEMA_VERSION);
	for (; rc == 0 && version < SCHEMA_VERSION; version++)
		rc = db_exec(s, upgrades[version - 1]);
	if (rc < 0 || (rc = db_exec(s, sql)) < 0 || (rc = store_commit(s)) < 0)
		store_rollback(s);
	return rc;
}

static int
epoch_read(struct store *s, uint32_t *epoch)
{
	struct buf b = { 0 };
	int rc = store_meta_get(s, "epoch", &b);
	struct msg_in m;

	if (rc == 0) {
		m = msg_in_of(b.p, b.len);
		*epoch = get_u32(&m);
		if (!msg_in_done(&m) || *epoch == 0)
			rc = -ENOENT;
	}
	buf_free(&b);
	if (rc == -ENOENT && ((rc = store_begin(s)) < 0 || (rc = epoch_make(s, epoch)) < 0 || (rc = store_commit(s)) < 0))
		store_rollback(s);
	return rc;
}

/* Opens the file and says what it is. 1: new, with its schema now. 0: ours. -EPROTO: a newer version's. -EBADMSG: broken or not ours,
 * and only that may move it out of the way. Another error: that cannot be told now (no rights, no room, locked, a failing disk). */
static int
file_judge(struct store *s, const char *path)
{
	int64_t id, version, tables;
	int rc;

	if ((rc = db_open(s, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) < 0 ||
	    (rc = db_number(s, "PRAGMA application_id", &id)) < 0 || (rc = db_number(s, "PRAGMA user_version", &version)) < 0 ||
	    (rc = db_number(s, "SELECT count(*) FROM sqlite_schema", &tables)) < 0)
		return rc;
	if (sqlite3_db_readonly(s->db, "main") != 0) {
		snprintf(s->error, sizeof s->error, "the file is not writable");
		return -EROFS;
	}
	if (id == 0 && version == 0 && tables == 0)
		return (rc = schema_make(s)) < 0 ? rc : 1;
	if (id != APPLICATION_ID || version < 1) {
		snprintf(s->error, sizeof s->error, "a database of another program");
		return -EBADMSG;
	}
	if (version > SCHEMA_VERSION) {
		snprintf(s->error, sizeof s->error, "schema version %" PRId64 ", this camtrapd knows %d", version, SCHEMA_VERSION);
		return -EPROTO;
	}
	if ((rc = soundness(s)) == 0 && version < SCHEMA_VERSION && (rc = schema_upgrade(s, version)) == 0)
		log_info("%s: brought up from schema version %" PRId64 " to %d", path, version, SCHEMA_VERSION);
	return rc;
}

/* DIR/camtrapd.db and its two helpers out of the way, under a name with the time that no file has yet. */
static int
move_aside(struct store *s, const char *path, struct wall now)
{
	static const char *const tails[] = { "", "-wal", "-shm" };
	int64_t second = now.us / 1000000;
	char from[PATH_OCTETS + 8], to[PATH_OCTETS + 40];

	do
		snprintf(to, sizeof to, "%s.corrupt-%" PRId64, path, second++);
	while (access(to, F_OK) == 0);
	/* The helpers go first: a file without its WAL is worth more than a WAL that a new file would take for its own. */
	for (size_t i = nitems(tails); i-- > 0;) {
		snprintf(from, sizeof from, "%s%s", path, tails[i]);
		snprintf(to, sizeof to, "%s.corrupt-%" PRId64 "%s", path, second - 1, tails[i]);
		if (rename(from, to) < 0 && errno != ENOENT) {
			int err = errno;

			snprintf(s->error, sizeof s->error, "a broken file that cannot be moved aside: %s", strerror(err));
			return -err;
		}
	}
	return 0;
}

/* The last file that was moved aside, if any. A new database beside one was begun after a loss, although perhaps not in this run:
 * the disk may have been full then. */
static bool
was_moved(const char *dir, char *moved, size_t size)
{
	static const char prefix[] = "camtrapd.db.corrupt-";
	char newest[NAME_MAX + 1] = "";
	DIR *d = opendir(dir);

	if (d == NULL)
		return false;
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (strncmp(e->d_name, prefix, sizeof prefix - 1) == 0 && strchr(e->d_name + sizeof prefix, '-') == NULL &&
		    strverscmp(e->d_name, newest) > 0)
			text_cut(newest, sizeof newest, e->d_name);
	closedir(d);
	if (newest[0] != '\0')
		snprintf(moved, size, "%s/%s", dir, newest);
	return newest[0] != '\0';
}

int
store_open(struct store **out, const char *dir, struct wall now, struct store_opened *opened)
{
	struct store *s = *out = store_new();
	char path[PATH_OCTETS];
	mode_t mask;
	int rc;

	*opened = (struct store_opened){ 0 };
	if (s == NULL)
		return -ENOMEM;
	if ((rc = path_of(s, dir, path)) < 0 || (rc = dir_lock(s, dir)) < 0)
		return rc;
	mask = umask(0027);
	was_moved(dir, s->moved_to, sizeof s->moved_to);	/* by a run that was killed before it made a new one */
	if ((rc = file_judge(s, path)) == -EBADMSG) {
		log_error("%s: %s", path, s->error);
		db_close(s);
		if ((rc = move_aside(s, path, now)) == 0) {
			was_moved(dir, s->moved_to, sizeof s->moved_to);
			rc = file_judge(s, path);
		}
	}
	opened->created = rc == 1;
	opened->state_lost = rc == 1 && s->moved_to[0] != '\0';
	text_cut(opened->moved_to, sizeof opened->moved_to, opened->state_lost ? s->moved_to : "");
	if (rc >= 0 && (rc = settings(s)) == 0)
		rc = epoch_read(s, &opened->epoch);
	umask(mask);
	if (rc < 0 && s->db != NULL)
		db_close(s);		/* its text stays */
	return rc;
}

int
store_open_reader(struct store **out, const char *dir)
{
	struct store *s = *out = store_new();
	char path[PATH_OCTETS];
	int64_t id, version;
	int rc;

	if (s == NULL)
		return -ENOMEM;
	if ((rc = path_of(s, dir, path)) < 0 || (rc = db_open(s, path, SQLITE_OPEN_READONLY)) < 0 ||
	    (rc = db_exec(s, "PRAGMA query_only=1; PRAGMA trusted_schema=OFF")) < 0 ||
	    (rc = db_number(s, "PRAGMA application_id", &id)) < 0 || (rc = db_number(s, "PRAGMA user_version", &version)) < 0)
		return rc;
	if (id == APPLICATION_ID && version == SCHEMA_VERSION)
		return 0;
	snprintf(s->error, sizeof s->error, "not a database of this version");
	return -EPROTO;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	db_close(s);
	if (s->lock >= 0)
		close(s->lock);		/* after the file: the next one may open it now */
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
	assert(sqlite3_get_autocommit(s->db));
	return db_run(s, db_prepare(s, "BEGIN IMMEDIATE"));
}

int
store_commit(struct store *s)
{
	int rc = db_run(s, db_prepare(s, "COMMIT"));

	s->transactions += rc == 0;
	return rc;
}

uint64_t
store_transactions(const struct store *s)
{
	return s->transactions;
}

void
store_rollback(struct store *s)
{
	/* SQLite has rolled back by itself when the disk was full. */
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	assert(sqlite3_get_autocommit(s->db));
}

int
store_next(struct store *s, enum store_counter c, uint32_t *out)
{
	sqlite3_stmt *q = db_prepare(s, "INSERT INTO counter (name, value) VALUES (?1, 1)"
	    " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value");
	int rc;

	db_int(q, 1, c);
	if ((rc = db_step(s, q)) == 1) {
		int64_t v = sqlite3_column_int64(q, 0);

		assert(v > 0);
		*out = (uint32_t)v;
		rc = v > UINT32_MAX ? -ERANGE : db_step(s, q);
	}
	if (rc == -ERANGE)
		snprintf(s->error, sizeof s->error, "counter %d is at its end", (int)c);
	db_done(q);
	return rc;
}

int
store_counter(struct store *s, enum store_counter c, uint32_t *out)
{
	sqlite3_stmt *q = db_prepare(s, "SELECT value FROM counter WHERE name = ?1");
	int rc;

	db_int(q, 1, c);
	if ((rc = db_step(s, q)) >= 0) {
		int64_t v = rc == 1 ? sqlite3_column_int64(q, 0) : 0;

		*out = v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
		rc = 0;
	}
	db_done(q);
	return rc;
}

int
store_counter_put(struct store *s, enum store_counter c, uint32_t value)
{
	sqlite3_stmt *q = db_prepare(s, "INSERT OR REPLACE INTO counter (name, value) VALUES (?1, ?2)");

	db_int(q, 1, c);
	db_int(q, 2, value);
	return db_run(s, q);
}

int
store_meta_put(struct store *s, const char *name, const void *p, size_t n)
{
	sqlite3_stmt *q = db_prepare(s, "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)");

	db_text(q, 1, name);
	if (n > 0)
		db_blob(q, 2, p, n);
	else if (q != NULL)
		(void)sqlite3_bind_zeroblob(q, 2, 0);	/* a value of no octets is not NULL */
	return db_run(s, q);
}

int
store_meta_get(struct store *s, const char *name, struct buf *out)
{
	sqlite3_stmt *q = db_prepare(s, "SELECT value FROM meta WHERE name = ?1");
	int rc;

	db_text(q, 1, name);
	if ((rc = db_step(s, q)) == 1) {
		struct msg_in m = db_column_msg(q, 0);

		put_bytes(out, m.p, msg_in_left(&m));
		rc = out->bad ? -ENOMEM : 0;
	} else if (rc == 0)
		rc = -ENOENT;
	db_done(q);
	return rc;
}

int
store_prune(struct store *s, struct wall before)
{
	/* An event that still waits for a receiver stays, and so does all that came after it: a log without holes. */
	static const char *const statements[] = { "DELETE FROM presence WHERE ended < ?1",
		"DELETE FROM event WHERE at < min(?1, coalesce((SELECT min(queued) FROM outbox), ?1))" };
	int rc = 0;

	for (size_t i = 0; i < nitems(statements) && rc == 0; i++) {
		sqlite3_stmt *q = db_prepare(s, statements[i]);

		db_int(q, 1, before.us);
		rc = db_run(s, q);
	}
	return rc;
}
