/* agent/cli/table.h: rows of texts as columns that fit a terminal, or as CSV. Whatever comes in is cleaned again (text_clean):
 * nothing a device said can move the cursor. */
#ifndef CAMTRAPD_CLI_TABLE_H
#define CAMTRAPD_CLI_TABLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 24

/* A column. `rank` 0: what identifies a row or says where it is: never cut and never left out. Others are cut down to `least` columns of
 * the terminal (0: not cut) and then left out, the highest rank first. */
struct table_column { const char *head; unsigned rank, least; };

struct table;				/* opaque */

/* `columns` is borrowed for the table's life. NULL: out of memory. The caller frees it. */
struct table	*table_new(const struct table_column *columns, size_t n);
/* As many cells as columns, copied; NULL or "" is shown as "-". Ends the program when out of memory. */
void		 table_row(struct table *t, const char *const *cells);
size_t		 table_rows(const struct table *t);
/* `width` 0: nothing is cut. How many columns were left out is said in a last line. `colour`: alarming words stand out. */
void		 table_print(const struct table *t, FILE *out, size_t width, bool colour);
/* RFC 4180, with the header line when `header`; a cell that a spreadsheet would take for a formula gets a ' before it. */
void		 table_csv(const struct table *t, FILE *out, bool header);
void		 table_free(struct table *t);

/* Columns of the terminal that `s` takes (wcwidth); what has no width counts 1. */
size_t		 text_width(const char *s);
/* $COLUMNS, else the width of the terminal on standard output; 0: it is none. */
size_t		 terminal_width(void);
/* Standard output is a terminal that is not dumb, and NO_COLOR is not set. */
bool		 terminal_colour(void);
/* Prints `s`, cleaned, in the colour its word deserves. */
void		 word_print(const char *s, FILE *out, bool colour);
#endif
