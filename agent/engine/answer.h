/* agent/engine/answer.h: between the files that make the documents of camtrapctl from the state in memory. Only they include it. */
#ifndef CAMTRAPD_ANSWER_H
#define CAMTRAPD_ANSWER_H
#include <jansson.h>

#include "engine/core.h"
#include "model/detection.h"
#include "model/json.h"

#define PIECE 48000			/* octets of an answer in one message */

/* The whole document in pieces. Takes `doc` over; NULL: out of memory, which is said. */
void	 answer_send(struct engine *e, uint32_t id, json_t *doc);
void	 answer_error(struct engine *e, uint32_t id, const char *what, const char *name);	/* name: quoted behind it, or NULL */

json_t	*status_json(struct engine *e, struct moment now);				/* status.c */
void	 answer_switches(struct engine *e, const struct msg_query *q);			/* status.c */
struct sw **switches_sorted(const struct engine *e);	/* by name; the caller frees the array. NULL: out of memory */
/* Why a port is an uplink, in one line; `out` is returned. */
const char *uplink_reason(const struct port *p, char out[static 128]);
void	 answer_topology(struct engine *e, const struct msg_query *q);			/* topology.c */
/* doctor.c: {"version","findings","omitted","credentials"}: camtrapctl puts what it finds itself beside it. */
void	 answer_doctor(struct engine *e, const struct msg_query *q, struct moment now);
/* find.c: begins a listing, which goes on piece by piece as long as views takes them. */
void	 answer_find(struct engine *e, const struct msg_query *q);
void	 listings_go(struct engine *e);
void	 listings_free(struct engine *e);
#endif
