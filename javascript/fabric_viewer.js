// Thumbs in the host's full-size viewer, and a flash over the picture once it is rated.
/* global fabricUi */

fabricUi.viewer = (function() {
    let modal = null;
    let image = null;
    let pair = null;
    let flash = null;
    // What was shown when last looked: only a change of the mark of the same picture is a rating.
    let shown = {address: '', mark: ''};

    function isOpen() {
        return modal !== null && modal.style.display !== 'none' && modal.offsetWidth > 0;
    }

    /** The name of the visible tab, if it is one of ours. */
    function visibleTab() {
        const name = get_uiCurrentTabContent()?.id.replace('tab_', '');
        return fabricUi.tabNames().includes(name) ? name : null;
    }

    /** The gallery entry that the viewer shows; null for a grid, a live preview, another gallery. */
    function picture() {
        const name = visibleTab();
        if (!name || !isOpen() || !image.src) return null;
        return fabricUi.galleryThumbs.find(name, image.src);
    }

    function rate(list) {
        const found = picture();
        if (found) fabricUi.rate(visibleTab(), list, found);
    }

    function refresh() {
        const found = picture();
        const name = visibleTab();
        fabricUi.thumbs.show(pair, name, found);
        const address = found ? found.address : '';
        const now = {address, mark: found ? fabricUi.markOf(name, address) : ''};
        if (now.address && now.address === shown.address && now.mark !== shown.mark) {
            showFlash(now.mark || shown.mark, !now.mark);
        }
        shown = now;
    }

    function showFlash(list, isUndo) {
        flash?.remove();
        flash = document.createElement('div');
        flash.dataset.fabricFlash = isUndo ? 'none' : list;
        flash.textContent = fabricUi.thumbs.FACES[list];
        flash.setAttribute('aria-hidden', 'true');
        flash.addEventListener('animationend', event => event.target.remove());
        modal.append(flash);
    }

    onUiLoaded(function() {
        modal = gradioApp().getElementById('lightboxModal');
        image = gradioApp().getElementById('modalImage');
        const controls = modal?.querySelector('.modalControls');
        if (!controls || !image) return;
        pair = fabricUi.thumbs.make('viewer', rate);
        controls.insertBefore(pair, controls.querySelector('.modalClose'));
        new MutationObserver(refresh).observe(image, {attributes: true, attributeFilter: ['src']});
        new MutationObserver(refresh).observe(modal, {attributes: true, attributeFilter: ['style']});
        fabricUi.onMarks(name => name === visibleTab() && isOpen() && refresh());
    });

    return {isOpen, picture, visibleTab};
})();
