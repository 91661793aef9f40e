package dev.ashlar.core.request;

/** Who asks for a request: only users are held back by a drained section. */
public interface Origin {
    /** A user that stays at its node: waits at the gate while the node is drained. */
    Origin BACKEND = new Constant(true);

    /**
     * A parent node, on behalf of a request of its own that is tracked already or of control code: never held back, or a drain would
     * wait for what it holds back itself (D6).
     */
    Origin PARENT = new Constant(false);

    /** A parent node, for its own tables: as {@link #PARENT}, told apart by debugging filters alone. */
    Origin METADATA = new Constant(false);

    boolean isUser();

    /**
     * Whether requests of this origin still belong to a layer. Asked when a request has been let in: until it ends nothing changes, since
     * edges are switched on drained nodes only (D4).
     */
    boolean leadsTo(Layer layer);

    /** An origin that nobody leads elsewhere; told apart by identity. */
    final class Constant implements Origin {
        private final boolean user;

        private Constant(boolean user) {
            this.user = user;
        }

        @Override
        public boolean isUser() {
            return user;
        }

        @Override
        public boolean leadsTo(Layer layer) {
            return true;
        }
    }
}
