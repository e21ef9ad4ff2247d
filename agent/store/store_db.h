/* agent/store/store_db.h: what the files of this folder share. Nobody else includes it. */
#ifndef CAMTRAPD_STORE_DB_H
#define CAMTRAPD_STORE_DB_H
#include <sqlite3.h>

#include "store/store.h"

#define STATEMENTS_MAX 40		/* different texts given to db_prepare() */

struct store {
	sqlite3	*db;
	int	 lock;			/* the folder, locked; -1: a reader */
	struct { const char *sql; sqlite3_stmt *q; } kept[STATEMENTS_MAX];
	char	 error[512];
	uint64_t transactions;		/* committed */
	char	 moved_to[256];		/* a broken database that was moved aside; "": none */
};

/* Opens `path` with SQLite's flags; nothing is written yet, not even on closing. 0 or an error of store.h. */
int		 db_open(struct store *s, const char *path, int flags);
/* Frees the statements and closes the file; the text of the last error stays. */
void		 db_close(struct store *s);
/* Statements of ours without parameters and results, one after the other. 0 or an error of store.h. */
int		 db_exec(struct store *s, const char *sql);
/* The number that a statement of one row and column answers. 0 or an error of store.h. */
int		 db_number(struct store *s, const char *sql, int64_t *out);

/* The statement of `sql`, a constant: made at its first use, known by its address, kept until db_close(). It is not in use, and
 * has nothing bound. NULL: failed, the text is in s->error; binding to NULL does nothing and db_step() of NULL says why. */
sqlite3_stmt	*db_prepare(struct store *s, const char *sql);
/* Binds borrow: what they point at stays until the statement was run or is done. */
void		 db_text(sqlite3_stmt *q, int at, const char *text);
void		 db_blob(sqlite3_stmt *q, int at, const void *p, size_t n);	/* n 0: NULL */
void		 db_int(sqlite3_stmt *q, int at, int64_t v);
/* The next row: 1, the end: 0, or an error of store.h. The caller ends with db_done(). */
int		 db_step(struct store *s, sqlite3_stmt *q);
/* Through with it, also in the midst of its rows: a statement left open holds a snapshot, and the WAL grows. NULL is fine. */
void		 db_done(sqlite3_stmt *q);
/* Runs a statement whose rows do not matter, and is done with it. 0 or an error of store.h. */
int		 db_run(struct store *s, sqlite3_stmt *q);
/* Text of a column into an array, cut to it. */
void		 db_column_text(sqlite3_stmt *q, int at, char *out, size_t size);
/* A column's octets, to decode; borrowed until the next step. */
struct msg_in	 db_column_msg(sqlite3_stmt *q, int at);
/* The error of store.h for what SQLite last said, with its text in s->error. */
int		 db_failed(struct store *s);
/* SQLite finds the file broken. -EBADMSG, with `text` in s->error, unless a disk that did not read made it say so: -EIO then. */
int		 db_broken(struct store *s, const char *text);
/* Says that a row does not decode and is left where it is; at most once a second. */
void		 db_passed_over(const char *what, int64_t id);
#endif
