/* agent/cli/render.h: documents of the daemon as tables and pages for people, as CSV or as they are. */
#ifndef CAMTRAPD_CLI_RENDER_H
#define CAMTRAPD_CLI_RENDER_H
#include <jansson.h>
#include <stdbool.h>

enum format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON, FORMAT_DOT };	/* DOT: of `topology` only */

/* Prints the answer to `command`; returns the exit code: 1 when a list is empty, 5 when an order was not carried out in time. */
int	render(const char *command, const json_t *doc, enum format format);
/* For --follow: the events of one document, a line each; a JSON object each; or CSV, with the header line when `header`. */
void	render_events(const json_t *doc, enum format format, bool header);
#endif
