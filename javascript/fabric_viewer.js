// Owns: the thumbs in the host's full-size viewer, and a flash over the picture once it is rated.

(window.fabricParts ??= {}).viewer = ({tabs, thumbs, gallery}) => {
    let modal = null;
    let image = null;
    let pair = null;
    let flash = null;
    // What was shown when last looked: only a change of the mark of the same picture is a rating.
    let shown = {address: '', mark: ''};

    function isOpen() {
        return modal !== null && modal.style.display !== 'none' && modal.offsetWidth > 0;
    }

    /** The visible tab, if it is one of ours. */
    function visibleTab() {
        return tabs.named(get_uiCurrentTabContent()?.id.replace('tab_', ''));
    }

    /** The gallery entry that the viewer shows; null for a grid, a live preview, another gallery. */
    function picture() {
        const tab = visibleTab();
        if (!tab || !isOpen() || !image.src) return null;
        return gallery.find(tab, image.src);
    }

    function rate(list) {
        const found = picture();
        if (found) thumbs.rate(visibleTab(), list, found);
    }

    function refresh() {
        const found = picture();
        const tab = visibleTab();
        thumbs.show(pair, tab, found);
        const address = found ? found.address : '';
        const now = {address, mark: found ? tabs.markOf(tab, address) : ''};
        if (now.address && now.address === shown.address && now.mark !== shown.mark) {
            showFlash(now.mark || shown.mark, !now.mark);
        }
        shown = now;
    }

    function showFlash(list, isUndo) {
        flash?.remove();
        flash = document.createElement('div');
        flash.dataset.fabricFlash = isUndo ? 'none' : list;
        flash.textContent = thumbs.FACES[list];
        flash.setAttribute('aria-hidden', 'true');
        flash.addEventListener('animationend', event => event.target.remove());
        modal.append(flash);
    }

    function start() {
        modal = gradioApp().getElementById('lightboxModal');
        image = gradioApp().getElementById('modalImage');
        const controls = modal?.querySelector('.modalControls');
        if (!controls || !image) return;
        pair = thumbs.make('viewer', rate);
        controls.insertBefore(pair, controls.querySelector('.modalClose'));
        new MutationObserver(refresh).observe(image, {attributes: true, attributeFilter: ['src']});
        new MutationObserver(refresh).observe(modal, {attributes: true, attributeFilter: ['style']});
        thumbs.onRefresh(tab => tab === visibleTab() && isOpen() && refresh());
    }

    return {start, isOpen, picture, visibleTab};
};
