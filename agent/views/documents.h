/* agent/views/documents.h: what the store holds, as the JSON documents of camtrapctl and HTTP (contract.md; doc/schema/).
 * No socket and no store is needed here. null: not known. */
#ifndef CAMTRAPD_VIEWS_DOCUMENTS_H
#define CAMTRAPD_VIEWS_DOCUMENTS_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct detection;
struct event;
struct place;

/* What a reader asked for; 0 or "" everywhere: all. Texts are borrowed from the request. */
struct filter {
	const char	*site, *switch_name, *vendor;	/* NULL: any; vendor: a part of the name, any case */
	unsigned	 presence, handling, origin, severity;	/* enum values; 0: any */
	int64_t		 since_us;	/* devices seen first, or events, at or after; 0: any */
	uint32_t	 id;		/* one device; 0: any */
};

/* Reads {"site", "switch", …}; it borrows from `o`, which may be NULL. `since` is a time as in since_parse().
 * NULL: fine. Else one line: what is wrong. */
const char	*filter_read(const json_t *o, struct wall now, struct filter *out);
/* True when it is among what was asked for. */
bool		 filter_device(const struct filter *f, const struct detection *d);
bool		 filter_event(const struct filter *f, const struct event *e);
/* RFC 3339 ("2026-11-24T00:21:11Z", also with fractions and +01:00), a date (midnight UTC), or a duration back from `now`
 * ("1h", "30d"). 0, or -EINVAL with *out untouched. */
int		 since_parse(const char *text, struct wall now, struct wall *out);

/* All return a new reference; NULL: out of memory. */
json_t	*device_json(const struct detection *d);
json_t	*event_json(const struct event *e);
/* Where a device was, from when to when. */
json_t	*presence_json(const struct place *at, struct wall from, struct wall to);
/* A restricted device that no switch shows now, in the shape of a station of `find`; takes `history` over. */
json_t	*absent_station_json(const struct detection *d, json_t *history);
/* What `find` says of a restricted station beside what is said of every one: its detection `id`,
 * its presence, its history (taken over). */
void	 station_restricted(json_t *station, uint32_t id, unsigned presence, json_t *history);
/* {"version":1,NAME:[…]}; takes `list` over. */
json_t	*list_document(const char *name, json_t *list);
/* {"version":1,"error":TEXT} */
json_t	*error_document(const char *text);
#endif
