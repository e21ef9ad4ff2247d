/* agent/notify/v3_report.h: what an SNMPv3 Report says that the library does not tell: it drops a Report of an engine that it has no
 * user for, which is what a receiver sends when it was installed anew. Pure. */
#ifndef CAMTRAPD_V3_REPORT_H
#define CAMTRAPD_V3_REPORT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct v3_report {
	int32_t		 msg_id;	/* of the message that it answers */
	uint32_t	 counter;	/* which of usmStats counted it: 4 is usmStatsUnknownEngineIDs (RFC 3414, 5) */
	const uint8_t	*engine_id;	/* of who sent it; borrowed from the datagram */
	size_t		 engine_id_len;	/* 5 to 32 */
};

/* A whole Report in plain text with one of usmStats as its first object. Nothing in it is authenticated. false: it is none, or
 * malformed; `out` is untouched. */
bool	v3_report_parse(const uint8_t *p, size_t n, struct v3_report *out);
#endif
