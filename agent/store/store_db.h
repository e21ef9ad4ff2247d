/* agent/store/store_db.h: what the files of this folder share. Nobody else includes it. */
#ifndef CAMTRAPD_STORE_DB_H
#define CAMTRAPD_STORE_DB_H
#include <sqlite3.h>

#include "store/store.h"

struct store {
	sqlite3	*db;
	char	 error[256];
};

/* Prepares `sql` (a constant of ours). NULL: failed, text in s->error. */
sqlite3_stmt	*db_prepare(struct store *s, const char *sql);
/* Binds of a statement under construction; a failed bind shows at the step. */
void		 db_text(sqlite3_stmt *q, int at, const char *text);
void		 db_blob(sqlite3_stmt *q, int at, const void *p, size_t n);	/* n 0: NULL */
void		 db_int(sqlite3_stmt *q, int at, int64_t v);
/* Runs a statement without a result to its end and finalizes it (NULL is fine: it failed before). 0 or an error of store.h. */
int		 db_run(struct store *s, sqlite3_stmt *q);
/* The next row: 1, the end: 0, or an error. Does not finalize. */
int		 db_step(struct store *s, sqlite3_stmt *q);
/* Text of a column into an array, cut to it. */
void		 db_column_text(sqlite3_stmt *q, int at, char *out, size_t size);
/* The error of store.h for what SQLite last said. */
int		 db_failed(struct store *s);
#endif
