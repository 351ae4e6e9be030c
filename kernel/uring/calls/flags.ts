/**
 * The supported operations, flags and registrations of io_uring, with the guest test of each. See
 * syscalls/flags/flag_set.ts.
 */

import { by, fails, type FlagSet, flagSet } from "../../syscalls/flags/flag_set.ts";

export const URING_FLAGS: readonly FlagSet[] = [
  flagSet("io_uring_enter", "operation", [
    by("io_uring.nops_come_back_in_order", "IORING_OP_NOP"),
    by("io_uring_operations.a_nop_returns_the_result_that_it_names", "IORING_NOP_INJECT_RESULT"),
    by(
      "io_uring.files_are_read_and_written",
      `IORING_OP_READ IORING_OP_WRITE IORING_OP_READV IORING_OP_WRITEV IORING_OP_FSYNC
IORING_OP_FALLOCATE`,
    ),
    by(
      "io_uring.names_are_opened_and_changed",
      `IORING_OP_OPENAT IORING_OP_OPENAT2 IORING_OP_CLOSE IORING_OP_STATX IORING_OP_RENAMEAT
IORING_OP_UNLINKAT IORING_OP_MKDIRAT IORING_OP_SYMLINKAT IORING_OP_LINKAT`,
    ),
    by("io_uring.a_poll_completes_once_or_repeatedly", "IORING_OP_POLL_ADD IORING_OP_POLL_REMOVE"),
    by(
      "io_uring_operations.polls_are_changed",
      "IORING_POLL_UPDATE_EVENTS IORING_POLL_UPDATE_USER_DATA",
    ),
    by("io_uring.a_timeout_request_expires", "IORING_OP_TIMEOUT IORING_OP_TIMEOUT_REMOVE"),
    by("io_uring.requests_are_cancelled", "IORING_OP_ASYNC_CANCEL"),
    by("io_uring.a_linked_timeout_bounds_a_request", "IORING_OP_LINK_TIMEOUT"),
    by(
      "io_uring.files_and_buffers_are_registered",
      "IORING_OP_READ_FIXED IORING_OP_WRITE_FIXED",
    ),
    by(
      "io_uring.sockets_connect_and_transfer_data",
      "IORING_OP_CONNECT IORING_OP_ACCEPT IORING_OP_SEND IORING_OP_RECV IORING_OP_SENDMSG IORING_OP_SHUTDOWN",
    ),
  ]),
  flagSet(
    "io_uring_enter",
    "operation on pipes, futexes, children, rings and with chosen buffers",
    [
      by(
        "io_uring_buffers.buffers_are_provided_and_taken",
        "IORING_OP_PROVIDE_BUFFERS IORING_OP_REMOVE_BUFFERS",
      ),
      by("io_uring_buffers.a_multishot_read_completes_for_each_part", "IORING_OP_READ_MULTISHOT"),
      by("io_uring_bundles.a_message_is_received_into_a_chosen_buffer", "IORING_OP_RECVMSG"),
      by("io_uring_operations.bytes_are_spliced", "IORING_OP_SPLICE IORING_OP_TEE"),
      by(
        "io_uring_operations.futexes_are_waited_for_and_woken",
        "IORING_OP_FUTEX_WAIT IORING_OP_FUTEX_WAKE",
      ),
      by("io_uring_operations.several_futexes", "IORING_OP_FUTEX_WAITV"),
      by("io_uring_operations.children_are_waited_for", "IORING_OP_WAITID"),
      by(
        "io_uring_operations.a_ring_sends_a_completion_to_another_ring",
        "IORING_OP_MSG_RING IORING_MSG_DATA",
      ),
      by("io_uring_direct.a_ring_passes_a_file_to_another_ring", "IORING_MSG_SEND_FD"),
      by("io_uring_operations.registered_files_get_descriptors", "IORING_OP_FIXED_FD_INSTALL"),
    ],
  ),
  flagSet("io_uring_enter", "operation on direct descriptors", [
    by(
      "io_uring_direct.files_are_opened_into_registered_slots",
      "IORING_OP_OPENAT IORING_OP_OPENAT2",
    ),
    by("io_uring_direct.registered_slots_are_closed", "IORING_OP_CLOSE"),
    by("io_uring_direct.sockets_are_made_in_registered_slots", "IORING_OP_SOCKET IORING_OP_ACCEPT"),
    by("io_uring_direct.a_files_update_moves_descriptors_into_slots", "IORING_OP_FILES_UPDATE"),
    by("io_uring_direct.a_free_slot_is_allocated", "IORING_FILE_INDEX_ALLOC"),
  ]),
  flagSet("io_uring_enter", "operation on sockets", [
    by(
      "io_uring_bundles.a_request_binds_a_socket_and_makes_it_listen",
      "IORING_OP_BIND IORING_OP_LISTEN",
    ),
    by("io_uring_bundles.bundles_are_received", "IORING_RECVSEND_BUNDLE"),
    by("io_uring_bundles.a_multishot_recvmsg_completes_for_each_message", "IORING_RECV_MULTISHOT"),
    by("io_uring_bundles.a_completion_says_whether_the_socket_has_more", "IORING_ACCEPT_DONTWAIT"),
    by(
      "io_uring_bundles.a_completion_says_whether_the_socket_has_more",
      "IORING_CQE_F_SOCK_NONEMPTY",
    ),
  ]),
  flagSet("io_uring_enter", "command of a socket (IORING_OP_URING_CMD)", [
    by(
      "io_uring_bundles.sockets_take_commands",
      `SOCKET_URING_OP_SIOCINQ SOCKET_URING_OP_SIOCOUTQ SOCKET_URING_OP_GETSOCKOPT
SOCKET_URING_OP_SETSOCKOPT`,
    ),
  ]),
  flagSet("io_uring_enter", "operation with two completions", [
    by(
      "io_uring_sends.a_zero_copy_send_completes_twice",
      "IORING_OP_SEND_ZC IORING_SEND_ZC_REPORT_USAGE",
    ),
    by("io_uring_sends.a_zero_copy_sendmsg_completes_twice", "IORING_OP_SENDMSG_ZC"),
    by("io_uring_sends.registered_buffers_are_sent", "IORING_RECVSEND_FIXED_BUF"),
  ]),
  flagSet("io_uring_enter", "what requests are cancelled by", [
    by("io_uring.requests_are_cancelled", "IORING_ASYNC_CANCEL_ALL"),
    by(
      "io_uring_names.requests_are_cancelled_by_file",
      "IORING_ASYNC_CANCEL_FD IORING_ASYNC_CANCEL_FD_FIXED",
    ),
    by(
      "io_uring_names.requests_are_cancelled_by_opcode",
      "IORING_ASYNC_CANCEL_OP IORING_ASYNC_CANCEL_USERDATA",
    ),
    by("io_uring_names.requests_are_cancelled_at_once", "IORING_ASYNC_CANCEL_ANY"),
  ]),
  flagSet("io_uring_enter", "flags", [
    by("io_uring_names.a_ring_descriptor_is_registered", "IORING_ENTER_REGISTERED_RING"),
    by("io_uring_shapes.waits_have_a_clock", "IORING_ENTER_EXT_ARG IORING_ENTER_ABS_TIMER"),
    by("io_uring_shapes.waits_end_with_fewer", "IORING_FEAT_MIN_TIMEOUT"),
  ]),
  flagSet("io_uring_enter", "flags of a request", [
    by("io_uring_buffers.buffer_rings_are_used_in_turn", "IOSQE_BUFFER_SELECT"),
    by("io_uring.files_and_buffers_are_registered", "IOSQE_FIXED_FILE"),
    by("io_uring.a_drain_waits_for_all_before_it", "IOSQE_IO_DRAIN"),
    by("io_uring.linked_requests_follow_each_other", "IOSQE_IO_LINK IOSQE_IO_HARDLINK"),
    by("io_uring.a_request_can_skip_its_success_completion", "IOSQE_CQE_SKIP_SUCCESS"),
  ]),
  flagSet("io_uring_setup", "flags", [
    by("io_uring.a_disabled_ring_is_enabled", "IORING_SETUP_R_DISABLED"),
    by("io_uring.the_polling_thread_submits_after_a_wake_up", "IORING_SETUP_SQPOLL"),
    by("io_uring_shapes.shapes_wide_requests", "IORING_SETUP_SQE128"),
    by("io_uring_shapes.shapes_wide_completions", "IORING_SETUP_CQE32"),
    by("io_uring_shapes.shapes_without_indices", "IORING_SETUP_NO_SQARRAY"),
    by("io_uring_shapes.one_task_submits", "IORING_SETUP_SINGLE_ISSUER"),
    by("io_uring_shapes.the_thread_that_enables_a_ring_submits", "IORING_SETUP_DEFER_TASKRUN"),
    by("io_uring_shapes.a_ring_lies_in_memory_of_the_caller", "IORING_SETUP_NO_MMAP"),
    by("io_uring_shapes.a_ring_without_a_descriptor", "IORING_SETUP_REGISTERED_FD_ONLY"),
  ]),
  flagSet("io_uring_register", "operation", [
    by(
      "io_uring.files_and_buffers_are_registered",
      "IORING_REGISTER_BUFFERS IORING_REGISTER_FILES",
    ),
    by("io_uring.a_ring_can_be_polled_and_signals_an_eventfd", "IORING_REGISTER_EVENTFD"),
    by("io_uring.the_probe_lists_the_supported_operations", "IORING_REGISTER_PROBE"),
    by("io_uring.credentials_are_registered", "IORING_REGISTER_PERSONALITY"),
    by("io_uring.a_disabled_ring_is_enabled", "IORING_REGISTER_ENABLE_RINGS"),
    by("io_uring_operations.restrictions_hold", "IORING_REGISTER_RESTRICTIONS"),
    by(
      "io_uring_buffers.buffer_rings_are_registered",
      "IORING_REGISTER_PBUF_RING IORING_UNREGISTER_PBUF_RING",
    ),
    by("io_uring_buffers.buffer_rings_are_used_in_turn", "IORING_REGISTER_PBUF_STATUS"),
    by("io_uring_bundles.buffers_of_the_kernel_are_mapped", "IOU_PBUF_RING_MMAP"),
    by("io_uring_bundles.buffers_are_used_bit_by_bit_own", "IOU_PBUF_RING_INC"),
    by("io_uring_shapes.waits_have_a_clock", "IORING_REGISTER_CLOCK"),
    by("io_uring_shapes.registered_buffers_are_cloned", "IORING_REGISTER_CLONE_BUFFERS"),
    by("io_uring_shapes.the_number_of_workers_is_bounded", "IORING_REGISTER_IOWQ_MAX_WORKERS"),
    by(
      "io_uring_shapes.workers_have_an_affinity",
      "IORING_REGISTER_IOWQ_AFF IORING_UNREGISTER_IOWQ_AFF",
    ),
    fails("EOPNOTSUPP", "IORING_REGISTER_NAPI", "as without CONFIG_NET_RX_BUSY_POLL"),
    by(
      "io_uring_direct.a_tag_completes_when_its_file_is_released",
      "IORING_REGISTER_FILES2 IORING_REGISTER_FILES_UPDATE2",
    ),
    by(
      "io_uring_direct.a_tag_completes_when_its_buffer_is_released",
      "IORING_REGISTER_BUFFERS2 IORING_REGISTER_BUFFERS_UPDATE",
    ),
    by("io_uring_direct.registration_checks", "IORING_RSRC_REGISTER_SPARSE"),
    by(
      "io_uring_direct.slots_are_allocated_within_a_registered_range",
      "IORING_REGISTER_FILE_ALLOC_RANGE",
    ),
    by("io_uring_names.requests_are_cancelled_at_once", "IORING_REGISTER_SYNC_CANCEL"),
    by(
      "io_uring_names.a_ring_descriptor_is_registered",
      `IORING_REGISTER_RING_FDS IORING_UNREGISTER_RING_FDS
IORING_REGISTER_USE_REGISTERED_RING`,
    ),
  ]),
];
