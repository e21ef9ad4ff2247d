/* agent/model/json.h: nouns as the members of documents (contract.md, JSON). Every text in them is UTF-8 and clean (base/text.h).
 * null stands for "not known": time 0, an empty or missing text, number 0. NULL: out of memory. The caller owns what is returned. */
#ifndef CAMTRAPD_JSON_H
#define CAMTRAPD_JSON_H
#include <jansson.h>

#include "base/clock.h"
#include "model/detection.h"

json_t	*time_json(struct wall t);		/* RFC 3339, UTC, milliseconds */
json_t	*text_or_null(const char *s);
json_t	*number_or_null(uint32_t v);
json_t	*place_json(const struct place *p);
json_t	*location_json(const struct location *l);	/* a verdict that was never made is "unknown", "pending" */
#endif
