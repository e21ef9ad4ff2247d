/* agent/cli/dot.h: the document `topology` as a graph for Graphviz. */
#ifndef CAMTRAPD_CLI_DOT_H
#define CAMTRAPD_CLI_DOT_H
#include <jansson.h>

#include "base/buf.h"

/* Appends `text`, which may come from a device, as a quoted string of the DOT language that shows just that as a label: cleaned, quotes
 * and backslashes escaped, entities taken literally. What is quoted is never an HTML-like label. */
void	put_dot_text(struct buf *b, const char *text);
/* The whole graph. Switches are boxes, dashed what nobody polls, red what does not answer. */
void	put_dot(struct buf *b, const json_t *doc);
#endif
