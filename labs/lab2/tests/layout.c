/* SPDX-License-Identifier: MIT */
/* Where TeachOS keeps what: compiled as the kernel is, read by 64-bit tests. */
#include "kernel.h"

#define AT(type, field) const u32 at_##type##_##field = offsetof(struct type, field);

AT(pv_ops, return_from_trap) AT(pv_ops, return_to_user) AT(pv_ops, iret)
AT(pv_ops, irq_disable) AT(pv_ops, irq_enable) AT(pv_ops, irq_enabled) AT(pv_ops, interrupt)
AT(pv_ops, halt) AT(pv_ops, set_gate) AT(pv_ops, set_segment) AT(pv_ops, set_kernel_stack)
AT(pv_ops, set_tls) AT(pv_ops, fault_address) AT(pv_ops, load_root) AT(pv_ops, flush_user)
AT(pv_ops, flush_all) AT(pv_ops, pte_changed) AT(pv_ops, top_changed) AT(pv_ops, batch_begin)
AT(pv_ops, batch_end) AT(pv_ops, now)

AT(process, pid) AT(process, state) AT(process, next) AT(process, next_ready) AT(process, root)
AT(process, kstack) AT(process, esp) AT(process, wake_at) AT(process, due) AT(process, magic)
AT(process, switches)

const u32 process_size = sizeof(struct process), kstack_size = KSTACK_SIZE;
const u32 state_running = RUNNING, state_ready = READY, state_sleeping = SLEEPING;

/* For files that want them, if nobody else brings them. */
__attribute__((weak)) struct process *current;
__attribute__((weak)) bool need_resched;
__attribute__((weak)) struct process kernel_process;
struct process people[8];
u8 stacks[8][KSTACK_SIZE];
