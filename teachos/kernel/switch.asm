; SPDX-License-Identifier: MIT
;G:430 The smallest magic trick
;
; void switch_stacks(u32 *save_esp, u32 new_esp)
;
; Called by one process, returns in another.  The four registers that a C function
; must keep go on the old stack, the stack is changed, four others come off the new
; one.  The return address that `ret` finds there is the new process's own.
;
section .text
; LAB 2.8 BEGIN: called by one process, returns in another
global switch_stacks
switch_stacks:
	mov eax, [esp + 4]
	mov edx, [esp + 8]
	push ebp
	push ebx
	push esi
	push edi
	mov [eax], esp
	mov esp, edx
	pop edi
	pop esi
	pop ebx
	pop ebp
	ret
; LAB 2.8 END
;:*
