/* agent/model/trouble.h: what `camtrapctl doctor` can find wrong: a stable code, how bad it is, and what to do about it, said once
 * for the engine and for the command line. The manual and the schema list the codes. Pure. */
#ifndef CAMTRAPD_TROUBLE_H
#define CAMTRAPD_TROUBLE_H
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* A hint is nothing wrong: it is worth knowing, and does not change the exit code. */
enum grade { GRADE_ERROR = 1, GRADE_WARNING, GRADE_HINT };

#define TROUBLES(X)									\
	X(DAEMON_SILENT, ERROR, "daemon-silent", "start it and read its log: until it runs nothing is polled and nobody is told")	\
	X(DAEMON_UNHEARD, ERROR, "daemon-unheard", "the text says why; -s SOCKET says where it listens")			\
	X(ASKING_REFUSED, WARNING, "asking-refused", "ask as root or as a member of the daemon's group")				\
	X(RELOAD_REFUSED, ERROR, "reload-refused", "correct the configuration and reload: the daemon goes on with the one before")	\
	X(PROCESS_FAILING, ERROR, "process-failing", "read the daemon's log for why this process ends")				\
	X(STORE_FAILING, ERROR, "store-failing", "make room in state_dir, or mend the disk: all goes on from memory, which a restart loses")	\
	X(CLOCK_UNSET, ERROR, "clock-unset", "set the clock (NTP): every time that is told is wrong")				\
	X(CONFIGURATION_MISTAKE, ERROR, "configuration-mistake", "correct this line: a start or reload refuses the file until then")	\
	X(CONFIGURATION_WARNING, HINT, "configuration-warning", "look at this line: it works, but hardly as meant")		\
	X(CONFIGURATION_UNREAD, HINT, "configuration-unread", "run this as root or as a member of the daemon's group to have it judged")	\
	X(SWITCH_NEVER_ANSWERED, ERROR, "switch-never-answered", "try camtrapctl probe: address, community, access list, firewall")	\
	X(SWITCH_UNREACHABLE, ERROR, "switch-unreachable", "look at its power and its uplink; what hangs there cannot be told")	\
	X(SWITCH_AUTH_FAILED, ERROR, "switch-auth-failed", "compare user, protocols and keys with those on the switch")		\
	X(SWITCH_INCOMPLETE, WARNING, "switch-incomplete", "try camtrapctl probe, which names the table; perhaps the SNMP view hides it")	\
	X(SWEEP_RUNNING, HINT, "sweep-running", "ask again when the first sweep is done: what is missing may only not have been looked at") \
	X(SWITCH_WITHOUT_UPLINK, WARNING, "switch-without-uplink", "name its port in uplinks, or let LLDP run towards the next switch")	\
	X(UPLINK_NOT_THERE, ERROR, "uplink-not-there", "correct uplinks of this switch: a name (ifName) or ifIndex of its own")	\
	X(ACCESS_PORT_NOT_THERE, WARNING, "access-port-not-there", "correct access_ports of this switch: an ifName or ifIndex of its own") \
	X(PORT_CONFLICT, ERROR, "port-conflict", "go and look what hangs on this port: it claims to be a switch that does not agree")	\
	X(LINK_CONTRADICTED, WARNING, "link-contradicted", "follow the cable: the two ends name different neighbours")			\
	X(LINK_ONE_SIDED, HINT, "link-one-sided", "let LLDP run on both ends, or name the port in uplinks, if that is where it leads")	\
	X(SAME_ADDRESS, ERROR, "same-address", "correct the address of one of them")						\
	X(SAME_BRIDGE, ERROR, "same-bridge", "configure a switch once; if they are two, one has a cloned address")			\
	X(SAME_SYSNAME, WARNING, "same-sysname", "give each switch a sysName of its own: by this one its neighbours cannot tell them apart") \
	X(BLIND_SPOTS, HINT, "blind-spots", "camtrapctl topology lists them; configure those that are yours")				\
	X(RECEIVER_NONE, WARNING, "receiver-none", "configure a receiver: nobody is told of what is found")				\
	X(RECEIVER_DOWN, ERROR, "receiver-down", "look at the receiver and the way to it, then camtrapctl test NAME")			\
	X(RECEIVER_REFUSES, ERROR, "receiver-refuses", "compare credential and port with the receiver's, then camtrapctl test NAME")	\
	X(RECEIVER_BEHIND, WARNING, "receiver-behind", "look why it acknowledges slowly: what waits is old news when it arrives")	\
	X(RECEIVER_ORPHANED, HINT, "receiver-orphaned", "nothing: what waits for it expires after 7 days")				\
	X(RECEIVER_UNACKNOWLEDGED, HINT, "receiver-unacknowledged", "set inform = true if it can acknowledge: a lost trap is lost")	\
	X(REGISTRY_EMPTY, ERROR, "registry-empty", "install ieee-data or name a file in agent.registry: no maker is known")		\
	X(REGISTRY_OLD, HINT, "registry-old", "bring in a newer registry: makers' newer address blocks are not known")		\
	X(POLICY_EMPTY, WARNING, "policy-empty", "name a list in policy: no device is restricted")					\
	X(POLICY_OLD, HINT, "policy-old", "see whether the list is still the law and the makers' names still theirs")		\
	X(STATIONS_NEAR_LIMIT, WARNING, "stations-near-limit", "raise max_stations before it is reached")				\
	X(STATIONS_REFUSED, ERROR, "stations-refused", "raise max_stations: ordinary stations were left out; or look who floods addresses") \
	X(CREDENTIAL_WELL_KNOWN, WARNING, "credential-well-known", "change the community there and here: everybody tries this one first") \
	X(CREDENTIAL_WEAK, WARNING, "credential-weak", "use SHA-256 and AES-128 or better where the switches can")			\
	X(CREDENTIAL_OPEN, WARNING, "credential-open", "set auth and priv: anybody can answer in the switch's place")			\
	X(CREDENTIAL_IN_CLEAR, HINT, "credential-in-clear", "use SNMPv3 with privacy where the switches can: anybody on the way reads along")

#define TROUBLE_VALUE(name, grade, code, remedy) TROUBLE_##name,
enum trouble { TROUBLES(TROUBLE_VALUE) TROUBLE_N };

/* Where it is; NULL and 0: does not apply, and is left out. Borrowed. */
struct trouble_at {
	const char	*switch_name, *port, *receiver, *credential, *process, *file;
	uint32_t	 if_index, line;
};

/* A list that is being made: 100 of a kind, and how many more there were. */
struct troubles {
	json_t		*list;		/* owned; NULL: out of memory */
	size_t		 omitted, of_kind[TROUBLE_N];
};

struct troubles	 troubles_new(void);
/* Adds one, its text cleaned and cut to 255 octets. */
void		 trouble_add(struct troubles *t, enum trouble what, struct trouble_at at, const char *fmt, ...)
		    __attribute__((format(printf, 4, 5)));
const char	*trouble_code(enum trouble what);
const char	*grade_word(enum grade g);
/* 0: no such word. */
enum grade	 grade_value(const char *word);
#endif
