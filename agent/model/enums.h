/* agent/model/enums.h: the small sets of words that JSON, the database, the MIB and the messages share.
 * Said once here; values are those of the MIB (from 1) and are stored: never renumber. 0 is never a value. */
#ifndef CAMTRAPD_ENUMS_H
#define CAMTRAPD_ENUMS_H
#include <stdint.h>

#define PRESENCES(X)	X(PRESENT, 1, "present") X(STALE, 2, "stale") X(GONE, 3, "gone")
#define HANDLINGS(X)	X(OPEN, 1, "open") X(ACKNOWLEDGED, 2, "acknowledged") X(WAIVED, 3, "waived") X(REMOVED, 4, "removed")
#define ORIGINS(X)	X(NEW, 1, "new") X(EXISTING, 2, "existing") X(RETURNED, 3, "returned") X(POLICY, 4, "policy")
#define CONFIDENCES(X)	X(CONFIRMED, 1, "confirmed") X(PROBABLE, 2, "probable") X(POSSIBLE, 3, "possible")
#define SEVERITIES(X)	X(CRITICAL, 1, "critical") X(MAJOR, 2, "major") X(MINOR, 3, "minor") X(INFO, 4, "info")
#define VERDICTS(X)	X(ACCESS, 1, "access") X(SHARED, 2, "shared") X(BEYOND, 3, "beyond-uplink") X(UNKNOWN, 4, "unknown")
/* The notifications of CAMTRAPD-MIB, root.0.n. */
#define EVENT_TYPES(X)							\
	X(DEVICE_DETECTED, 1, "deviceDetected") X(DEVICE_MOVED, 2, "deviceMoved") X(DEVICE_GONE, 3, "deviceGone")	\
	X(DEVICE_RETURNED, 4, "deviceReturned") X(DEVICE_CHANGED, 5, "deviceChanged") X(DEVICE_HANDLED, 6, "deviceHandled") \
	X(CONFLICT, 7, "conflictDetected") X(MAC_FLOOD, 8, "macFlood") X(SUMMARY, 9, "summary")			\
	X(SWITCH_UNREACHABLE, 10, "switchUnreachable") X(SWITCH_REACHABLE, 11, "switchReachable")			\
	X(HEARTBEAT, 12, "heartbeat") X(AGENT_TROUBLE, 13, "agentTrouble") X(AGENT_RECOVERED, 14, "agentRecovered")
/* How a switch's last poll went (contract.md, switches --json). */
#define SWITCH_STATES(X) X(OK, 1, "ok") X(UNREACHABLE, 2, "unreachable") X(AUTH_FAILED, 3, "auth-failed") \
	X(INCOMPLETE, 4, "incomplete") X(NEVER, 5, "never")
/* Why a location is what it is: stable codes (contract.md, reasonCode). */
#define REASONS(X)										\
	X(ACCESS_PORT, 1, "access-port")			/* the only station there */	\
	X(ACCESS_PHONE, 2, "access-phone")			/* behind a phone's PC port */	\
	X(ACCESS_CONFIGURED, 3, "access-configured")		/* the operator says so */	\
	X(SHARED_STATIONS, 4, "shared-stations")		/* several stations on the port */ \
	X(BEYOND_POLLED, 5, "beyond-polled-switch")		/* that switch does not show it */ \
	X(BEYOND_UNREACHABLE, 6, "beyond-unreachable-switch")						\
	X(BEYOND_CONFIGURED, 7, "beyond-configured-uplink")						\
	X(NO_PORT, 8, "no-port")				/* the switch names no port */	\
	X(SEVERAL_PORTS, 9, "several-ports")			/* candidates listed */		\
	X(NOT_SEEN, 10, "not-seen")				/* no current sighting */	\
	X(UPLINK_CONFIGURED, 11, "uplink-configured") X(UPLINK_NEIGHBOURS_AGREE, 12, "uplink-neighbours-agree")		\
	X(UPLINK_MACS_AGREE, 13, "uplink-macs-agree") X(UPLINK_ONE_SIDED, 14, "uplink-one-sided")	/* other end cannot be asked */ \
	X(CONFLICT_NEIGHBOUR, 15, "conflict-neighbour") X(CONFLICT_MAC, 16, "conflict-mac")		/* claims to be a polled switch */ \
	X(PENDING, 17, "pending")				/* waits for the first polls */

#define ENUM_VALUE_PRESENCE(n, v, s)	PRESENCE_##n = v,
#define ENUM_VALUE_HANDLING(n, v, s)	HANDLING_##n = v,
#define ENUM_VALUE_ORIGIN(n, v, s)	ORIGIN_##n = v,
#define ENUM_VALUE_CONFIDENCE(n, v, s)	CONFIDENCE_##n = v,
#define ENUM_VALUE_SEVERITY(n, v, s)	SEVERITY_##n = v,
#define ENUM_VALUE_VERDICT(n, v, s)	VERDICT_##n = v,
#define ENUM_VALUE_EVENT(n, v, s)	EVENT_##n = v,
#define ENUM_VALUE_SWITCH(n, v, s)	SWITCH_##n = v,
#define ENUM_VALUE_REASON(n, v, s)	REASON_##n = v,
enum presence	{ PRESENCES(ENUM_VALUE_PRESENCE) };
enum handling	{ HANDLINGS(ENUM_VALUE_HANDLING) };
enum origin	{ ORIGINS(ENUM_VALUE_ORIGIN) };
enum confidence	{ CONFIDENCES(ENUM_VALUE_CONFIDENCE) };
enum severity	{ SEVERITIES(ENUM_VALUE_SEVERITY) };
enum verdict	{ VERDICTS(ENUM_VALUE_VERDICT) };
enum event_type	{ EVENT_TYPES(ENUM_VALUE_EVENT) };
enum switch_state { SWITCH_STATES(ENUM_VALUE_SWITCH) };
enum reason	{ REASONS(ENUM_VALUE_REASON) };

/* The word for a value; "?" for a value that is not one. */
const char	*presence_word(unsigned v);
const char	*handling_word(unsigned v);
const char	*origin_word(unsigned v);
const char	*confidence_word(unsigned v);
const char	*severity_word(unsigned v);
const char	*verdict_word(unsigned v);
const char	*event_word(unsigned v);
const char	*switch_state_word(unsigned v);
const char	*reason_word(unsigned v);
/* The value for a word; 0: not one of them. */
unsigned	presence_value(const char *word);
unsigned	handling_value(const char *word);
unsigned	origin_value(const char *word);
unsigned	severity_value(const char *word);
#endif
