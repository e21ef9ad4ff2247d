/* agent/proc/rights.h: giving up what a process does not need (contract.md, Processes; threat-model H1, C4), for good.
 *
 * Started as root with the user _camtrapd: all processes become that user. Without that user: the roles that read the network
 * become nobody (65534), the others stay user 0 without a single capability, and the parent alone stays root. */
#ifndef CAMTRAPD_RIGHTS_H
#define CAMTRAPD_RIGHTS_H
#include <stdbool.h>

#include "proc/messages.h"

#define RIGHTS_USER CAMTRAPD_USER

/* The configuration is to be read with the rights that read it again at a reload: as root, takes on the service user until
 * rights_parent(). True: it did. False: not root, or no such user. */
bool	rights_borrow(void);
/* Makes the two folders where they are missing, gives up root for good, and sees that both can be used. 0, or -1: said why, and
 * with which command it is put right. An existing folder is never given to another owner. */
int	rights_parent(const char *state_dir, const char *run_dir);
/* In a role before it reads anything: no root on the network side, no capabilities, no core files, nobody looks in.
 * -1: said why; the process must end. */
int	rights_role(enum peer_role role);
/* The system calls of the role and no others; the rest fail with EPERM. False: this kernel or this build cannot; said once. */
bool	rights_filter(enum peer_role role);
#endif
