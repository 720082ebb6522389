// Owns: thumbs in the result gallery, on the preview and on the thumbnail under the pointer or in
// focus. One pair that moves, not one per thumbnail: whatever gradio renders, nothing is left behind.

(window.fabricParts ??= {}).gallery = ({tabs, thumbs}) => {
    const EDGE_PX = 4;
    const FRESH_MS = 600;
    const HOLD_MS = 1000;

    // By tab: the pairs, the thumbnail that the first one is for, what was selected.
    const galleries = new Map();

    // ---- which picture --------------------------------------------------------------------------

    /** How many grids come before the pictures; as the server counts them, which refuses those. */
    function gridCount(gallery) {
        const box = gradioApp().querySelector(`#generation_info_${gallery.tab.name} textarea`);
        const text = box ? box.value : '';
        if (text !== gallery.info) {
            gallery.info = text;
            gallery.grids = 0;
            try {
                gallery.grids = JSON.parse(text).index_of_first_image || 0;
            } catch (error) {
                // Nothing generated yet.
            }
        }
        return gallery.grids;
    }

    /** A thumbnail's picture, or null for a grid. */
    function pictureOf(gallery, item) {
        const items = Array.from(item.parentElement.querySelectorAll(':scope > .thumbnail-item'));
        const index = items.indexOf(item);
        const address = thumbs.addressIn(item);
        return address && index >= gridCount(gallery) ? {index, address} : null;
    }

    function selectedPicture(gallery) {
        const selected = thumbs.selectedPicture(gallery.tab);
        const isGrid = selected.index >= 0 && selected.index < gridCount(gallery);
        return selected.address && !isGrid ? selected : null;
    }

    /** The entry that shows the picture at a full address; null for none and for a grid. */
    function find(tab, source) {
        const gallery = attached(tab);
        const items = gallery ? Array.from(gallery.root.querySelectorAll('.thumbnail-item')) : [];
        const shown = items.filter(each => thumbs.imageIn(each)?.src === source);
        // The same file twice in a gallery: then the selected one is shown.
        const item = shown.find(each => each.matches('.selected')) || shown[0];
        return item ? pictureOf(gallery, item) : null;
    }

    /** Not behind an open preview, and not selected: for that one there are the preview's thumbs. */
    function isReachable(gallery, item) {
        const hasPreview = gallery.root.querySelector('.preview') !== null;
        const isShownLarge = hasPreview && item.matches('.thumbnail-lg, .selected');
        return gallery.root.contains(item) && !isShownLarge;
    }

    /** The picture that a key is meant for: under the pointer, else selected, and in sight. */
    function lookedAt(tab) {
        const gallery = attached(tab);
        if (!gallery || gallery.root.querySelector('.livePreview')) return null;
        const large = thumbs.imageIn(gallery.root.querySelector('.preview'));
        const node = gallery.item || large || gallery.root.querySelector('.thumbnail-lg');
        if (!node || !isInSight(node)) return null;
        return gallery.item ? pictureOf(gallery, gallery.item) : selectedPicture(gallery);
    }

    function isInSight(node) {
        const {top, bottom, width} = node.getBoundingClientRect();
        return width > 0 && bottom > 0 && top < window.innerHeight;
    }

    // ---- the pair over a thumbnail --------------------------------------------------------------

    function point(gallery, item, byFocus = false) {
        const picture = item && isReachable(gallery, item) ? pictureOf(gallery, item) : null;
        gallery.item = picture ? item : null;
        gallery.byFocus = byFocus;
        thumbs.show(gallery.pair, gallery.tab, picture);
        if (picture) place(gallery);
        showOnPreview(gallery);
    }

    /** One pair at a time: two so close together would be taken for each other. */
    function showOnPreview(gallery) {
        const isFree = !gallery.item && gallery.root.querySelector('.preview');
        thumbs.show(gallery.preview, gallery.tab, isFree && selectedPicture(gallery));
    }

    /** Inside a large thumbnail at its lower edge, above a small one, never outside the gallery. */
    function place({root, pair, item}) {
        const frame = root.getBoundingClientRect();
        const box = item.getBoundingClientRect();
        const isSmall = item.matches('.thumbnail-small');
        pair.toggleAttribute('data-fabric-small', isSmall);
        const {offsetWidth: width, offsetHeight: height} = pair;
        const left = (box.left + box.right - width) / 2 - frame.left;
        const top = (isSmall ? box.top : box.bottom - EDGE_PX) - height - frame.top;
        pair.style.left = `${clamp(left, 0, frame.width - width)}px`;
        pair.style.top = `${clamp(top, 0, frame.height - height)}px`;
    }

    function clamp(value, low, high) {
        return Math.max(low, Math.min(high, value));
    }

    function onPointerMove(gallery, event) {
        if (event.pointerType === 'touch' || gallery.pair.contains(event.target)) return;
        // Browsers report a move when the page moves below a pointer at rest: that is no pointing.
        const position = `${event.screenX} ${event.screenY}`;
        const isAtRest = position === gallery.pointer;
        gallery.pointer = position;
        const item = event.target.closest('.thumbnail-item');
        if (item !== gallery.item && !isAtRest) point(gallery, item);
    }

    function onFocusIn(gallery, event) {
        if (gallery.pair.contains(event.target)) return;
        const item = event.target.closest('.thumbnail-item:focus-visible');
        if (item) point(gallery, item, true);
        else if (gallery.byFocus) point(gallery, null);
    }

    function onFocusOut(gallery, event) {
        if (gallery.byFocus && !gallery.root.contains(event.relatedTarget)) point(gallery, null);
    }

    /** Tab goes from a thumbnail to its thumbs and on to the next thumbnail. */
    function onTab(gallery, event) {
        const {item, pair} = gallery;
        if (event.key !== 'Tab' || event.ctrlKey || event.altKey || event.metaKey || !item) return;
        const after = item.nextElementSibling;
        const order = [item, ...pair.children, after?.matches('.thumbnail-item') ? after : null];
        const step = order.indexOf(event.target);
        // Back from the thumbnail itself, and forward from the last one, is the browser's own.
        const next = step < 0 ? null : order[step + (event.shiftKey ? -1 : 1)];
        if (!next) return;
        event.preventDefault();
        next.focus();
    }

    // ---- set up and kept right ------------------------------------------------------------------

    /** The tab's gallery with its pairs in place; null while there is none. */
    function attached(tab) {
        const root = tabs.gallery(tab);
        if (root && galleries.get(tab)?.root !== root) galleries.set(tab, attach(tab, root));
        return root ? galleries.get(tab) : null;
    }

    function attach(tab, root) {
        const gallery = {tab, root, item: null, byFocus: false, selected: -1, isPending: false};
        const rate = (list, picture) => picture && thumbs.rate(tab, list, picture);
        gallery.pair = thumbs.make('thumbnail', list => {
            rate(list, gallery.item && pictureOf(gallery, gallery.item));
        });
        gallery.preview = thumbs.make('preview', list => rate(list, selectedPicture(gallery)));
        // First and last: Tab reaches the preview's thumbs before its thumbnails.
        root.prepend(gallery.preview);
        root.append(gallery.pair);
        root.addEventListener('pointermove', event => onPointerMove(gallery, event));
        root.addEventListener('pointerleave', () => gallery.byFocus || point(gallery, null));
        root.addEventListener('focusin', event => onFocusIn(gallery, event));
        root.addEventListener('focusout', event => onFocusOut(gallery, event));
        root.addEventListener('keydown', event => onTab(gallery, event));
        root.addEventListener('scroll', () => gallery.item && place(gallery), true);
        return gallery;
    }

    function refresh(tab) {
        const gallery = attached(tab);
        if (!gallery) return;
        const selected = thumbs.selectedPicture(tab).index;
        // Whoever walks on with the arrow keys no longer means the thumbnail below the pointer.
        const item = selected === gallery.selected ? gallery.item : null;
        gallery.selected = selected;
        point(gallery, item, gallery.byFocus);
        showPending(gallery);
    }

    /** A pale mark from the press to the answer; then the mark itself pops up. */
    function showPending(gallery) {
        const pending = thumbs.pendingRatings(gallery.tab);
        if (!pending.size && !gallery.isPending) return;
        gallery.isPending = pending.size > 0;
        hold(gallery);
        for (const node of gallery.root.querySelectorAll('.thumbnail-item, .preview')) {
            const address = thumbs.addressIn(node);
            const was = node.dataset.fabricPending;
            if (pending.has(address)) {
                node.dataset.fabricPending = pending.get(address) || 'none';
            } else if (was) {
                delete node.dataset.fabricPending;
                node.dataset.fabricFresh = '';
                setTimeout(() => delete node.dataset.fabricFresh, FRESH_MS);
            }
        }
    }

    /** From the first press to a moment after the last answer, which gradio takes to render. */
    function hold(gallery) {
        clearTimeout(gallery.holdTimer);
        gallery.release ??= holdStill(gallery);
        if (gallery.isPending) return;
        gallery.holdTimer = setTimeout(() => {
            gallery.release();
            delete gallery.release;
        }, HOLD_MS);
    }

    /**
     * Keeps the pictures where the eye is: on narrow pages the accordion above them grows with a
     * rating. Returns how to stop it.
     */
    function holdStill({tab, root}) {
        const accordion = tabs.element(tab, 'accordion');
        let before = root.getBoundingClientRect();
        let scrolledTo = null;
        const onScroll = () => {
            // Ours is told a frame later, when the accordion may have grown once more.
            if (window.scrollY !== scrolledTo) before = root.getBoundingClientRect();
        };
        const observer = new ResizeObserver(() => {
            const moved = root.getBoundingClientRect().top - before.top;
            const wasInSight = before.height && before.bottom > 0 && before.top < window.innerHeight;
            if (!moved || !wasInSight) return;
            window.scrollBy({top: moved, behavior: 'instant'});
            scrolledTo = window.scrollY;
        });
        if (accordion) observer.observe(accordion);
        window.addEventListener('scroll', onScroll, {passive: true});
        return () => {
            observer.disconnect();
            window.removeEventListener('scroll', onScroll);
        };
    }

    function start() {
        tabs.all().forEach(refresh);
        thumbs.onRefresh(refresh);
    }

    return {start, lookedAt, find};
};
