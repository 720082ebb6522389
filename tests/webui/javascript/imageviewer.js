// A picture of a gallery, large, with the keys and ids of the host's lightbox.

function closeModal() {
    gradioApp().getElementById('lightboxModal').style.display = 'none';
}

function modalImageSwitch(offset) {
    const buttons = all_gallery_buttons();
    const index = selected_gallery_index();
    if (index < 0 || buttons.length < 2) return;
    const next = buttons[(index + offset + buttons.length) % buttons.length];
    next.click();
    document.getElementById('modalImage').src = next.querySelector('img').src;
    setTimeout(() => document.getElementById('lightboxModal').focus(), 10);
}

function saveImage() {
    const tab = get_uiCurrentTabContent().id.replace('tab_', '');
    gradioApp().getElementById('save_' + tab)?.click();
}

function showModal(event) {
    const modal = document.getElementById('lightboxModal');
    document.getElementById('modalImage').src = event.target.src;
    modal.style.display = 'flex';
    modal.focus();
    event.stopPropagation();
}

document.addEventListener('DOMContentLoaded', function() {
    const modal = document.createElement('div');
    modal.id = 'lightboxModal';
    modal.tabIndex = 0;
    modal.style.display = 'none';
    modal.onclick = closeModal;
    modal.addEventListener('keydown', (e) => {
        const actions = {
            s: saveImage,
            ArrowLeft: () => modalImageSwitch(-1),
            ArrowRight: () => modalImageSwitch(1),
            Escape: closeModal,
        };
        actions[e.key]?.();
    });
    const controls = document.createElement('div');
    controls.className = 'modalControls gradio-container';
    const save = document.createElement('span');
    save.id = 'modal_save';
    save.className = 'modalSave cursor';
    save.textContent = '🖫';
    save.title = 'Save Image(s)';
    save.addEventListener('click', (e) => {
        saveImage();
        e.stopPropagation();
    });
    controls.appendChild(save);
    const image = document.createElement('img');
    image.id = 'modalImage';
    image.onclick = closeModal;
    modal.append(controls, image);
    document.body.appendChild(modal);
});

onAfterUiUpdate(function() {
    if (opts.js_modal_lightbox === false) return;
    gradioApp().querySelectorAll('.gradio-gallery > div > img').forEach((img) => {
        if (img.dataset.modded) return;
        img.dataset.modded = 'true';
        img.style.cursor = 'pointer';
        img.addEventListener('click', showModal, true);
    });
});
