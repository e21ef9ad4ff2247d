/* agent/views/documents.h: what the store holds, as the JSON documents of camtrapctl and HTTP (contract.md; doc/schema/).
 * No socket and no store is needed here. null: not known. */
#ifndef CAMTRAPD_VIEWS_DOCUMENTS_H
#define CAMTRAPD_VIEWS_DOCUMENTS_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct detection;
struct event;

/* What a reader asked for; 0 or "" everywhere: all. Texts are borrowed from the request. */
struct filter {
	const char	*site, *switch_name, *vendor;	/* NULL: any; vendor: a part of the name, any case */
	unsigned	 presence, handling, origin, severity;	/* enum values; 0: any */
	int64_t		 since_us;	/* devices seen first, or events, at or after; 0: any */
	uint32_t	 id;		/* one device; 0: any */
};

/* Reads {"site", "switch", …}; it borrows from `o`, which may be NULL. NULL: fine. Else one line: what is wrong. */
const char	*filter_read(const json_t *o, struct filter *out);
bool		 filter_device(const struct filter *f, const struct detection *d);
bool		 filter_event(const struct filter *f, const struct event *e);

/* All return a new reference; NULL: out of memory. */
json_t	*device_json(const struct detection *d);
json_t	*event_json(const struct event *e);
/* {"version":1,NAME:[…]}; takes `list` over. */
json_t	*list_document(const char *name, json_t *list);
json_t	*error_document(const char *text);
#endif
