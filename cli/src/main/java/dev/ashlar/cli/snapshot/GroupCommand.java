package dev.ashlar.cli.snapshot;

import dev.ashlar.cli.Console;
import dev.ashlar.cli.option.LongOption;
import dev.ashlar.cli.option.OptionScanner;
import dev.ashlar.cli.output.Decimals;
import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockGraph;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.OpenOptions;
import dev.ashlar.core.snapshot.GroupFinding;
import dev.ashlar.core.snapshot.GroupReport;
import dev.ashlar.core.snapshot.SnapshotGroup;
import dev.ashlar.core.snapshot.SnapshotInfo;
import dev.ashlar.core.snapshot.SnapshotRequest;
import dev.ashlar.core.snapshot.Snapshots;
import dev.ashlar.core.spi.PrintableName;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** {@code group}: snapshots of several disks at one instant, all or none. */
public final class GroupCommand {
    private static final String USAGE = """
        Usage: ashlar group create|apply|delete|list|check [NAME] --disk IMAGE [--disk IMAGE...] [options]
        Internal snapshots of several disks under one name, taken at one instant; each operation is done on all disks or on none.
          create NAME   takes one of every disk
          apply NAME    gives every disk the content it had
          delete NAME   deletes it from every disk that has it
          list          tells which snapshots there are, and on which disks; NAME is not needed
          check NAME    tells whether the disks agree about it; exit status 0 if they do, 3 if not
        Options:
          --disk IMAGE          a disk of the group
          --repair              with check: finishes or undoes what was interrupted
          --vmstate FILE        the state of the machine: stored by create, written to FILE by apply
          --vmstate-disk IMAGE  the disk that keeps it; else the first one
          -f FMT                the format of the disks, instead of finding it out
          -q                    says nothing when all is well
          --image-opts, --object DEFINITION   as in qemu-img
        """;
    private static final int DISK = 256;
    private static final int REPAIR = 257;
    private static final int VMSTATE = 258;
    private static final int VMSTATE_DISK = 259;
    private static final int DISAGREE = 3;

    private final Console console;
    private final Set<String> disks = new LinkedHashSet<>();
    private @Nullable String vmState;
    private @Nullable String vmStateDisk;
    private @Nullable String format;
    private boolean repair;
    private boolean quiet;

    public GroupCommand(Console console) {
        this.console = console;
    }

    /**
     * @param words the command line; the first word is the program's name
     * @return the exit status
     */
    public int run(String[] words) throws BlockException {
        Arguments arguments = new Arguments(
                console,
                words,
                "f:q",
                USAGE,
                new LongOption("disk", true, DISK),
                new LongOption("repair", false, REPAIR),
                new LongOption("vmstate", true, VMSTATE),
                new LongOption("vmstate-disk", true, VMSTATE_DISK));
        for (int option = arguments.next(); option != OptionScanner.END; option = arguments.next()) {
            switch (option) {
                case DISK -> {
                    if (!disks.add(arguments.argument())) {
                        throw console.usageError("Disk '" + arguments.argument() + "' is given twice");
                    }
                }
                case REPAIR -> repair = true;
                case VMSTATE -> vmState = arguments.argument();
                case VMSTATE_DISK -> vmStateDisk = arguments.argument();
                case 'f' -> format = arguments.argument();
                default -> quiet = true;
            }
        }
        if (arguments.operandCount() == 0) {
            throw console.usageError("Expecting what to do: create, apply, delete, list or check");
        }
        String action = arguments.operand(0);
        boolean list = action.equals("list");
        if (!list
                && !action.equals("create")
                && !action.equals("apply")
                && !action.equals("delete")
                && !action.equals("check")) {
            throw console.usageError("Unknown action '" + action + "'");
        }
        if (arguments.operandCount() != 2 && !(list && arguments.operandCount() == 1)) {
            throw console.usageError("Expecting the name of one snapshot");
        }
        if (disks.isEmpty()) {
            throw console.usageError("At least one device is required for snapshot");
        }
        requireFitting(action);
        return open(arguments, action, arguments.operandCount() == 2 ? arguments.operand(1) : "");
    }

    /** An option that would have no effect is a misunderstanding, and with these it would be noticed too late. */
    private void requireFitting(String action) {
        if (repair && !action.equals("check")) {
            throw console.usageError("--repair goes with check only");
        }
        if (vmState != null && !action.equals("create") && !action.equals("apply")) {
            throw console.usageError("--vmstate goes with create and apply only");
        }
        if (vmState == null && vmStateDisk != null) {
            throw console.usageError("--vmstate-disk needs --vmstate");
        }
    }

    private int open(Arguments arguments, String action, String name) throws BlockException {
        boolean writing = !action.equals("list") && (!action.equals("check") || repair);
        try (BlockGraph graph = console.objects().newGraph()) {
            List<String> nodes = new ArrayList<>();
            for (String disk : disks) {
                OpenOptions options = writing ? OpenOptions.readWrite() : OpenOptions.readOnly();
                nodes.add(arguments
                        .open(graph, disk, options.format(format))
                        .root()
                        .name());
            }
            if (vmState != null) {
                new VmStateFile(vmState).requireApartFrom(graph.nodes());
            }
            SnapshotGroup group = SnapshotGroup.of(graph, nodes);
            return switch (action) {
                case "create" -> create(group, name);
                case "apply" -> apply(group, name);
                case "delete" -> delete(group, name);
                case "list" -> list(group);
                default -> check(group, name);
            };
        }
    }

    private int create(SnapshotGroup group, String name) throws BlockException {
        group.requireSupported();
        Instant now = Instant.now();
        BlockNode node = vmState == null ? null : group.vmStateNode(vmStateDisk);
        VmStateFile file = vmState == null ? null : new VmStateFile(vmState);
        long bytes = node == null || file == null ? 0 : file.store(Snapshots.of(node));
        SnapshotRequest request =
                new SnapshotRequest("", name, bytes, now.getEpochSecond(), now.getNano(), 0, OptionalLong.of(0));
        boolean done = false;
        try {
            GroupReport report = group.create(request, node);
            done = true;
            return told("created on", report);
        } finally {
            if (!done && node != null) {
                VmStateFile.drop(Snapshots.of(node));
            }
        }
    }

    /** What no disk has cannot be deleted; most likely the name is wrong. */
    private int delete(SnapshotGroup group, String name) throws BlockException {
        GroupReport report = group.delete(name);
        if (report.nodeNames().isEmpty()) {
            throw new BlockException(Kind.NOT_FOUND, "Could not delete snapshot '" + name + "': snapshot not found");
        }
        return told("deleted from", report);
    }

    private int apply(SnapshotGroup group, String name) throws BlockException {
        if (vmState == null) {
            return told("applied on", group.apply(name));
        }
        // What can go wrong with the state is found out while every disk still has its content.
        VmStateFile file = new VmStateFile(vmState);
        BlockNode keeper = vmStateKeeper(group, name);
        SnapshotInfo kept = Snapshots.of(keeper).findByName(name).orElse(null);
        if (kept != null) {
            if (kept.vmStateSizeBytes() == 0) {
                throw new BlockException(
                        Kind.NOT_FOUND,
                        "Snapshot '" + name + "' on '" + shownName(keeper) + "' holds no state of a machine");
            }
            file.requireWritable();
        }
        GroupReport report = group.apply(name);
        if (kept != null) {
            try {
                file.load(Snapshots.of(keeper), kept.vmStateSizeBytes());
            } catch (BlockException e) {
                throw new BlockException(
                        e.kind(), "Snapshot '" + name + "' was applied on every disk, but: " + e.getMessage(), e);
            }
        }
        return told("applied on", report);
    }

    /** The disk named, or the first whose snapshot has a state, or the first of all. */
    private BlockNode vmStateKeeper(SnapshotGroup group, String name) throws BlockException {
        if (vmStateDisk == null) {
            for (BlockNode node : group.nodes()) {
                SnapshotInfo info = Snapshots.of(node).findByName(name).orElse(null);
                if (info != null && info.vmStateSizeBytes() > 0) {
                    return node;
                }
            }
        }
        return group.vmStateNode(vmStateDisk);
    }

    private int told(String what, GroupReport report) {
        if (!quiet) {
            long micros = report.standstillNanos() / 1000;
            int count = report.nodeNames().size();
            console.out()
                    .print("Snapshot '" + PrintableName.of(report.snapshot()) + "' " + what + " " + count
                            + (count == 1 ? " disk" : " disks") + ", which stood still for " + micros / 1000 + "."
                            + Decimals.zeroPadded(micros % 1000, 3) + " ms\n");
        }
        return 0;
    }

    private int list(SnapshotGroup group) throws BlockException {
        Set<String> names = new LinkedHashSet<>();
        for (BlockNode node : group.nodes()) {
            for (SnapshotInfo info : Snapshots.of(node).list()) {
                names.add(info.name());
            }
        }
        for (String name : names) {
            StringBuilder missing = new StringBuilder();
            for (BlockNode node : group.nodes()) {
                if (Snapshots.of(node).findByName(name).isEmpty()) {
                    missing.append(missing.isEmpty() ? "not on '" : "', '").append(shownName(node));
                }
            }
            String where = missing.isEmpty() ? "on every disk" : missing + "'";
            console.out().print(Decimals.left(PrintableName.of(name), 24) + " " + PrintableName.of(where) + "\n");
        }
        return 0;
    }

    /** As the messages of groups call a disk. */
    private static String shownName(BlockNode node) {
        return node.name().startsWith("#") ? node.fileName() : node.name();
    }

    private int check(SnapshotGroup group, String name) throws BlockException {
        if (repair) {
            for (GroupFinding settled : group.repair(name)) {
                console.out()
                        .print(PrintableName.of(settled.text() + ": " + (settled.isUndone() ? "undone" : "finished"))
                                + "\n");
            }
        }
        List<GroupFinding> findings = group.check(name);
        for (GroupFinding finding : findings) {
            console.out().print(PrintableName.of(finding.text() + "; with --repair " + finding.remedy()) + "\n");
        }
        if (findings.isEmpty() && !quiet) {
            String state = group.hasEverywhere(name) ? "is on every disk" : "is on no disk";
            console.out().print("Snapshot '" + PrintableName.of(name) + "' " + state + "\n");
        }
        return findings.isEmpty() ? 0 : DISAGREE;
    }
}
