// The opener: a process of sbxrun's that makes the sockets to the host's resolvers, which sbxnames can't make.
//
// It reads two numbers at a time (names_wire.h) and knows what they can mean: so sbxnames, which reads what strangers
// wrote, has no way to anybody but the resolvers of resolv.conf(5), and no file but hosts(5). It is the outside
// identity without capabilities, and ends when nobody is at the other end.
#pragma once

#include <sys/types.h>

// Starts one. `control_group`: it is moved there first, a folder; 0: it stays where sbxrun is. Returns its pid, with
// *end the descriptor at which it is asked, which the caller owns; or -1 and errno.
pid_t opener_start(uid_t, gid_t, int control_group, int *end);
