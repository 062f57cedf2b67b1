// What Glibc's module map leaves out.
#pragma once

#include <spawn.h>

/// glibc gives each thread a heap of its own, which nearly doubles what little memory Bellhop needs. Call it first.
void bh_share_heap(void);

/// posix_spawn_file_actions_addclosefrom_np: the child keeps no descriptor from `first` on.
int bh_spawn_close_from(posix_spawn_file_actions_t *actions, int first);
