/* agent/cli/page.h: what a person reads where a table does not do: the daemon's state, everything about one device or station,
 * the outcome of an order. All device text is cleaned on its way out. */
#ifndef CAMTRAPD_CLI_PAGE_H
#define CAMTRAPD_CLI_PAGE_H
#include <jansson.h>

#include "base/buf.h"

/* How a value is written: as it is; a time as "11-24 00:21:11" (UTC, with the year if it is not this one); a time as its age, "3 min". */
enum form { FORM_PLAIN, FORM_TIME, FORM_AGE };

/* A value inside `o` by "location.port"; of several separated by commas the first that is there and not null. NULL: not there. Borrowed. */
const json_t	*value_at(const json_t *o, const char *path);
/* Appends it; a list with commas between; null and what is not there: nothing. */
void		 put_value(struct buf *b, const json_t *v, enum form form);

/* `label` on the left, `said` beside it over as many lines as the terminal needs, cleaned. NULL: nothing. */
void	page_line(const char *label, const char *said);

void	page_status(const json_t *doc);
void	page_device(const json_t *doc);		/* {"version", "device"} */
void	page_station(const json_t *station);	/* one of `find` */
void	page_poll(const json_t *doc);
void	page_test(const json_t *doc);
void	page_event(const json_t *event);	/* one line, for --follow */
/* What stands below the table of links: the blind spots, and how many there are of both. */
void	page_topology_end(const json_t *doc);
/* What stands below the table of switches: how many are in which state, and how far the first sweep is. */
void	page_switches_end(const json_t *list);
#endif
