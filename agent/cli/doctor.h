/* agent/cli/doctor.h: camtrapctl doctor: asks the daemon, reads the configuration as --check does, and says what is wrong. */
#ifndef CAMTRAPD_CLI_DOCTOR_H
#define CAMTRAPD_CLI_DOCTOR_H
#include "cli/render.h"

/* `socket` NULL: it is not known, and `why` says so. `said`: the path of the configuration was given, it has to be there.
 * Returns the exit code. */
int	cmd_doctor(const char *socket, const char *why, const char *conf_path, bool said, enum format format);
#endif
