/* agent/store/store_db.c: SQLite as the files of this folder use it: errors as numbers and a text, statements prepared once. */
#include "store/store_db.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"

#define BUSY_MS 2000			/* a checkpoint or another reader in the way is over by then */

/* What the system last answered to a read or write of the database or its WAL; 0: nothing was wrong. */
static int
disk_errno(struct store *s)
{
	sqlite3_file *wal = NULL;
	int err = 0;

	if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_LAST_ERRNO, &err) == SQLITE_OK && err != 0)
		return err;
	if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK && wal != NULL && wal->pMethods != NULL)
		wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &err);
	return err;
}

int
db_broken(struct store *s, const char *text)
{
	int err = disk_errno(s);

	snprintf(s->error, sizeof s->error, "%s%s%s", text, err != 0 ? ": " : "", err != 0 ? strerror(err) : "");
	return err == 0 ? -EBADMSG : err == ENOSPC ? -ENOSPC : -EIO;
}

int
db_failed(struct store *s)
{
	int code = sqlite3_errcode(s->db) & 0xff, sys = 0;

	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		return db_broken(s, sqlite3_errmsg(s->db));
	if (code == SQLITE_IOERR)
		sys = disk_errno(s);
	if (code == SQLITE_CANTOPEN || (code == SQLITE_IOERR && sys == 0))
		sys = sqlite3_system_errno(s->db);
	snprintf(s->error, sizeof s->error, "%s%s%s", sqlite3_errmsg(s->db), sys != 0 ? ": " : "", sys != 0 ? strerror(sys) : "");
	switch (code) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EROFS;
	default:
		/* Quotas and size limits are a full disk by another name; SQLite knows only ENOSPC as one. */
		return sys == ENOSPC || sys == EDQUOT || sys == EFBIG ? -ENOSPC : -EIO;
	}
}

int
db_open(struct store *s, const char *path, int flags)
{
	assert(s->db == NULL);
	if (sqlite3_open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return s->db != NULL ? db_failed(s) : -ENOMEM;
	sqlite3_busy_timeout(s->db, BUSY_MS);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);	/* a file that is not ours is closed as it was */
	return 0;
}

void
db_close(struct store *s)
{
	for (size_t i = 0; i < nitems(s->kept); i++) {
		sqlite3_finalize(s->kept[i].q);
		s->kept[i].sql = NULL;
		s->kept[i].q = NULL;
	}
	if (sqlite3_close(s->db) != SQLITE_OK)
		assert(!"a statement is open that is not in s->kept");
	s->db = NULL;
}

int
db_exec(struct store *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_failed(s);
}

int
db_number(struct store *s, const char *sql, int64_t *out)
{
	sqlite3_stmt *q = db_prepare(s, sql);
	int rc = db_step(s, q);

	assert(rc != 0);		/* those asked have a row */
	if (rc == 1)
		*out = sqlite3_column_int64(q, 0);
	db_done(q);
	return rc == 1 ? 0 : rc;
}

sqlite3_stmt *
db_prepare(struct store *s, const char *sql)
{
	size_t i = 0;

	while (i < nitems(s->kept) && s->kept[i].sql != NULL && s->kept[i].sql != sql)
		i++;
	assert(i < nitems(s->kept));
	if (s->kept[i].q == NULL) {
		if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->kept[i].q, NULL) != SQLITE_OK) {
			db_failed(s);
			return NULL;
		}
		s->kept[i].sql = sql;
	}
	assert(!sqlite3_stmt_busy(s->kept[i].q));	/* a callback that asks for the same rows again */
	return s->kept[i].q;
}

void
db_text(sqlite3_stmt *q, int at, const char *text)
{
	sqlite3_bind_text(q, at, text, -1, SQLITE_STATIC);
}

void
db_blob(sqlite3_stmt *q, int at, const void *p, size_t n)
{
	assert(n <= INT_MAX);
	if (n > 0)
		sqlite3_bind_blob(q, at, p, (int)n, SQLITE_STATIC);
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

void
db_done(sqlite3_stmt *q)
{
	if (q == NULL)
		return;
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
}

int
db_run(struct store *s, sqlite3_stmt *q)
{
	int rc;

	while ((rc = db_step(s, q)) == 1)
		continue;
	db_done(q);
	return rc;
}

void
db_column_text(sqlite3_stmt *q, int at, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(q, at);

	text_cut(out, size, text != NULL ? (const char *)text : "");
}

struct msg_in
db_column_msg(sqlite3_stmt *q, int at)
{
	const void *p = sqlite3_column_blob(q, at);

	return msg_in_of(p, p != NULL ? (size_t)sqlite3_column_bytes(q, at) : 0);
}

void
db_passed_over(const char *what, int64_t id)
{
	static long long said;

	if (log_limit(&said))
		log_error("database: %s %lld cannot be read and is passed over", what, (long long)id);
}
