/* agent/cli/probe_json.h: the tables of one poll as the document of `camtrapctl probe --json`. */
#ifndef CAMTRAPD_CLI_PROBE_JSON_H
#define CAMTRAPD_CLI_PROBE_JSON_H
#include <jansson.h>

#include "poller/tables.h"

#define PROBE_JSON_FLAGS (JSON_ENSURE_ASCII | JSON_INDENT(1))

/* `t` is joined. Text of the device is taken as UTF-8, or else as Latin-1; nothing is left out. An absent value is null; an LLDP port
 * number the switch does not say is 0. The caller decrefs. NULL: out of memory. */
json_t	*probe_json(const struct tables *t, uint32_t requests);
/* The word of an ifOperStatus; NULL unknown value. */
const char *oper_word(unsigned oper);
#endif
