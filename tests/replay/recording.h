/* tests/replay/recording.h: reads a .snmprec or .snmpwalk recording (shared/recordings/README.md) object by object. */
#ifndef TESTS_REPLAY_RECORDING_H
#define TESTS_REPLAY_RECORDING_H
#include "poller/varbind.h"

/* In the order of the file; borrowed for the call. */
typedef void recording_fn(void *arg, const struct varbind *v);
/* 0; -errno: the file cannot be read. Lines that are not objects are counted in *skipped. */
int	recording_read(const char *path, recording_fn *each, void *arg, unsigned *skipped);
#endif
