/* agent/cli/table.h: rows of texts as columns for a terminal, or as CSV. Device text has been cleaned before it comes here. */
#ifndef CAMTRAPD_CLI_TABLE_H
#define CAMTRAPD_CLI_TABLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

struct table;				/* opaque */

/* `names` has `n` headers, copied. NULL: out of memory. The caller frees it. */
struct table	*table_new(const char *const *names, size_t n);
/* As many cells as columns, copied; NULL or "" is shown as "-". */
void		 table_row(struct table *t, const char *const *cells);
size_t		 table_rows(const struct table *t);
/* `width` 0: no line is cut. Otherwise the last column is. */
void		 table_print(const struct table *t, FILE *out, size_t width);
/* RFC 4180; a cell that a spreadsheet would take for a formula gets a ' before it. */
void		 table_csv(const struct table *t, FILE *out);
void		 table_free(struct table *t);
/* Columns of the terminal on standard output; 0: it is none. */
size_t		 terminal_width(void);
#endif
