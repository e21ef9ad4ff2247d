/* agent/notify/snmp_notify.h: sends traps and informs through Net-SNMP on libevent; never blocks. One per process, because
 * Net-SNMP's engine is. Knows nothing of our other processes. */
#ifndef CAMTRAPD_SNMP_NOTIFY_H
#define CAMTRAPD_SNMP_NOTIFY_H
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "config/conf.h"
#include "model/detection.h"

#define INFORM_TIMEOUT_MS 5000
#define TARGET_ADDRESSES_MAX 8

enum notify_result { NOTIFY_ACKNOWLEDGED = 1, NOTIFY_SENT, NOTIFY_TIMED_OUT, NOTIFY_REFUSED, NOTIFY_FAILED };

/* One try is over. `owner` is that of the target. `why` is for people, "" on success; borrowed. May be called from within
 * snmp_notify_send() and snmp_target_free(). */
typedef void snmp_notify_done(void *arg, void *owner, uint64_t row, enum notify_result result, uint32_t rtt_ms, const char *why);

struct snmp_notify;			/* opaque */
struct snmp_target;			/* opaque; one receiver */

/* Sets up Net-SNMP without its files: our engine id, and boots which the caller counts. NULL: out of memory, or an engine
 * id that is not 5 to 32 octets. The caller frees it. */
struct snmp_notify *snmp_notify_new(struct event_base *base, const uint8_t *engine_id, size_t n, uint32_t boots,
		    snmp_notify_done *done, void *arg);
/* The engine's identity again, after it restarted. -EINVAL: another engine id; a new process is needed for that. */
int	snmp_notify_identity(struct snmp_notify *n, const uint8_t *engine_id, size_t len, uint32_t boots);
/* A receiver without an address yet; `cred` is borrowed until the target is freed or snmp_target_keep(), `source` of family 0 leaves the choice to
 * the system. `inform` false: plain traps, which end as NOTIFY_SENT. Version 1 has only those. NULL with the reason in `why`
 * (static) if the credential cannot be used. */
struct snmp_target *snmp_target_new(struct snmp_notify *n, const struct conf_credential *cred, bool inform, struct ip source,
		    void *owner, const char **why);
/* The same credential, elsewhere in memory: what is in flight and what is known of the receiver's engine stays. */
void	snmp_target_keep(struct snmp_target *t, const struct conf_credential *cred);
/* Where it is now: 1 to TARGET_ADDRESSES_MAX addresses, copied. The one in use stays in use while it is among them; when it does
 * not answer, the next one is used. What is in flight to an address that is gone times out. */
void	snmp_target_addresses(struct snmp_target *t, const struct ip_port *addresses, size_t n);
/* Its name has no address: what waits for one ends as NOTIFY_FAILED with this reason; later tries wait again. Addresses known
 * before stay in use. */
void	snmp_target_unresolved(struct snmp_target *t, const char *why);
/* One try; `done` is told exactly once. Waits for an address for INFORM_TIMEOUT_MS; refuses more than 256 tries at once. */
void	snmp_notify_send(struct snmp_target *t, uint64_t row, const char *mib_root, const char *agent, const struct event *e);
/* What is in flight ends as NOTIFY_FAILED. NULL is fine. Not from within `done`. */
void	snmp_target_free(struct snmp_target *t);
void	snmp_notify_free(struct snmp_notify *n);	/* after its targets; NULL is fine */
#endif
